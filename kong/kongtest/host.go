package kongtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plurabase/plurabase/kong/kongtest/internal/pluginserver"
	"github.com/plurabase/plurabase/kong/render"
)

// How long Close waits.
const (
	closeGrace = 2 * time.Second // For requests that are under way to finish.
	// answerGrace is for the answers of those that were cut off because their plugin has ended.
	answerGrace = time.Second
)

// Host is one Kong node.
type Host struct {
	options Options
	logger  *slog.Logger
	id      string // The node's.

	// Made by Start.
	ctx        context.Context // Ends when the host closes.
	cancel     context.CancelFunc
	prefix     string
	ownsPrefix bool
	spawner    *pluginserver.Spawner
	servers    map[string]*pluginserver.Server // By the plugin's name.
	proxySet   map[string]template             // By the variable's name.
	accessLog  *accessLog                      // nil where there is none.
	listener   net.Listener
	server     *http.Server
	underway   sync.WaitGroup // Requests, their log phases, and Serve.

	closing    sync.Once
	closeError error

	gateway atomic.Pointer[gateway]
}

// New checks the options. Nothing runs before [Host.Start].
func New(options Options) (*Host, error) {
	prepared, err := options.prepare()
	if err != nil {
		return nil, err
	}
	h := &Host{
		options: prepared, logger: prepared.Logger, id: newUUID(), servers: map[string]*pluginserver.Server{}, proxySet: map[string]template{},
	}
	for name, text := range prepared.ProxySet {
		h.proxySet[name] = newTemplate(text)
	}
	return h, nil
}

// Start asks the plugins for their schemas, starts them, and serves. The context bounds the start alone; Close ends what
// was started. After an error nothing is left running. A host can be started once.
func (h *Host) Start(ctx context.Context) error {
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.spawner = pluginserver.NewSpawner()
	if err := h.start(ctx); err != nil {
		return errors.Join(err, h.Close()) //nolint:contextcheck // closing has its own time, also when ctx has ended
	}
	return nil
}

func (h *Host) start(ctx context.Context) error {
	if err := h.makePrefix(); err != nil {
		return err
	}
	log, err := newAccessLog(h.options.LogFormat, h.options.AccessLog, h.prefix)
	if err != nil {
		return err
	}
	h.accessLog = log
	servers, err := h.queryPlugins(ctx)
	if err != nil {
		return err
	}
	first, err := h.newGateway(h.options.Config, servers)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	h.listener = listener
	if err := h.startPlugins(ctx, servers); err != nil {
		return err
	}
	h.use(first)
	h.serve()
	return nil
}

func (h *Host) makePrefix() error {
	h.prefix = h.options.Prefix
	if h.prefix == "" {
		directory, err := os.MkdirTemp("", "kongtest")
		if err != nil {
			return fmt.Errorf("make the prefix directory: %w", err)
		}
		h.prefix, h.ownsPrefix = directory, true
	}
	prefix, err := filepath.Abs(h.prefix)
	if err != nil {
		return fmt.Errorf("find the prefix directory: %w", err)
	}
	h.prefix = prefix
	if err := os.MkdirAll(h.bodyDirectory(), 0o700); err != nil {
		return fmt.Errorf("make the prefix directory: %w", err)
	}
	return nil
}

func (h *Host) queryPlugins(ctx context.Context) (map[string]*pluginserver.Server, error) {
	environment, err := h.options.pluginEnvironment()
	if err != nil {
		return nil, err
	}
	servers := map[string]*pluginserver.Server{}
	for _, name := range slices.Sorted(maps.Keys(h.options.Plugins)) {
		server, err := pluginserver.New(ctx, pluginserver.Options{
			Executable: h.options.Plugins[name], Prefix: h.prefix, Environment: environment,
			Timeout: h.options.PluginTimeout, Spawner: h.spawner, Logger: h.logger.With("plugin", name),
		})
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		if server.Info.Name != name {
			return nil, fmt.Errorf("plugin %s: the executable calls itself %q", name, server.Info.Name)
		}
		servers[name] = server
	}
	return servers, nil
}

func (h *Host) startPlugins(ctx context.Context, servers map[string]*pluginserver.Server) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.StartTimeout)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if err := servers[name].Start(ctx); err != nil {
			return fmt.Errorf("plugin %s: %w", name, err)
		}
		h.servers[name] = servers[name]
	}
	return nil
}

func (h *Host) serve() {
	h.server = &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return h.ctx },
		ReadHeaderTimeout: 60 * time.Second, // nginx's client_header_timeout.
		ErrorLog:          slog.NewLogLogger(h.logger.Handler(), slog.LevelDebug),
	}
	h.underway.Add(1)
	go func() {
		defer h.underway.Done()
		if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
			h.logger.Error("serving ended", "error", err)
		}
	}()
	h.logger.Info("kongtest, a stand-in for Kong, is serving", "address", h.Addr())
}

// Addr is the address at which the host serves, as host:port.
func (h *Host) Addr() string {
	return h.listener.Addr().String()
}

// URL is where the host serves: http, Addr, and no slash at the end.
func (h *Host) URL() string {
	return "http://" + h.Addr()
}

// PluginPID is the id of a plugin's process; ok is false while none is running.
func (h *Host) PluginPID(name string) (pid int, ok bool) {
	server, ok := h.servers[name]
	if !ok {
		return 0, false
	}
	return server.PID()
}

// UnservedRoute is a route that answers 501, and the plugins that are the reason.
type UnservedRoute struct {
	Route   string
	Plugins []string
}

// Unserved lists the routes that answer 501 because they use a plugin that this stand-in does not have.
func (h *Host) Unserved() []UnservedRoute {
	return h.gateway.Load().unserved()
}

// Reload takes a new configuration, as POST /config does to Kong: processes live on, and each plugin gets a new instance
// with its next request, which also closes the old instance. After an error the old configuration stays.
func (h *Host) Reload(config *render.Config) error {
	next, err := h.newGateway(config, h.servers)
	if err != nil {
		return err
	}
	h.use(next)
	return nil
}

// use lets new requests go by the gateway, and names what it will not serve.
func (h *Host) use(next *gateway) {
	for _, route := range next.unserved() {
		h.logger.Warn("route is not served: kongtest does not have its plugins", "route", route.Route, "plugins", route.Plugins)
	}
	if before := h.gateway.Swap(next); before != nil {
		before.close()
	}
}

// ReplacePlugin does to one plugin what a restart of Kong's workers does: a new process takes the socket over, then the
// old one is ended. Requests that the old one was working on run again in the new one.
func (h *Host) ReplacePlugin(ctx context.Context, name string) error {
	server, ok := h.servers[name]
	if !ok {
		return fmt.Errorf("there is no plugin %q", name)
	}
	if err := server.Replace(ctx); err != nil {
		return fmt.Errorf("replace plugin %s: %w", name, err)
	}
	return nil
}

// Close lets requests finish for two seconds, then cuts them off, and ends the plugins. When it returns, no process, no
// socket and no goroutine is left. It may be called again, and before Start.
func (h *Host) Close() error {
	h.closing.Do(func() {
		if h.ctx != nil {
			h.closeError = h.close()
		}
	})
	return h.closeError
}

func (h *Host) close() error {
	var problems []error
	finished := h.shutdown(closeGrace)
	h.cancel()
	for _, server := range h.servers {
		problems = append(problems, server.Close())
	}
	if !finished && !h.shutdown(answerGrace) {
		problems = append(problems, h.server.Close())
	}
	h.underway.Wait()
	if h.accessLog != nil {
		h.accessLog.close()
	}
	h.spawner.Close()
	if last := h.gateway.Load(); last != nil {
		last.close()
	}
	if h.ownsPrefix {
		problems = append(problems, os.RemoveAll(h.prefix))
	}
	return errors.Join(problems...)
}

// shutdown stops taking requests and waits for those that are under way. It says whether they have finished.
func (h *Host) shutdown(grace time.Duration) bool {
	if h.server == nil {
		if h.listener != nil {
			_ = h.listener.Close()
		}
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return h.server.Shutdown(ctx) == nil
}

// bodyDirectory holds the request bodies that are too large for memory, as nginx's client_body_temp_path does.
func (h *Host) bodyDirectory() string {
	return filepath.Join(h.prefix, "client_body_temp")
}

// ServeHTTP handles one request.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.underway.Add(1)
	defer h.underway.Done()
	x := newExchange(h, w, r)
	defer x.end()
	x.serve() //nolint:contextcheck // the request carries its context
}
