// Package telemetry is how a process of the platform is watched: its metrics for Prometheus, whether it lives and can work,
// and its traces. The plugins and the provisioner share it; what is measured stands where it happens.
package telemetry

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that a process needs before it can work.
type Check struct {
	Name string // `postgres`
	Ask  func(ctx context.Context) error
}

const (
	// checkTimeout is how long one thing that is needed may take to answer.
	checkTimeout = 3 * time.Second
	// listenAgainAfter is the pause before a port is tried again that somebody has: after a reload of the gateway the plugin
	// before this one lives on for some seconds.
	listenAgainAfter = time.Second
)

// Serve answers /metrics, /health and /ready until ctx ends, where the setting names a place for the process. It does not
// wait, and no failure of it keeps the process from its work, but a setting that cannot be read.
func Serve(ctx context.Context, settings Settings, name string, metrics prometheus.Gatherer, log *slog.Logger, needs ...Check) error {
	at, err := settings.Listen.of(name)
	if err != nil || at == (place{}) {
		return err
	}
	server := &http.Server{Handler: Handler(metrics, settings.Token, needs...), ReadHeaderTimeout: time.Second}
	go func() {
		listener := at.await(ctx, log)
		if listener == nil {
			return
		}
		defer context.AfterFunc(ctx, func() { _ = server.Close() })()
		_ = server.Serve(listener) // ends with ctx
	}()
	return nil
}

// await opens the place, however long somebody else has it. It returns nil when ctx ended.
func (p place) await(ctx context.Context, log *slog.Logger) net.Listener {
	for told := false; ; told = true {
		listener, err := p.listen()
		if err == nil {
			return listener
		}
		if !told {
			log.Warn("metrics cannot be served yet", "address", p.address, "error", err.Error())
		}
		select {
		case <-time.After(listenAgainAfter):
		case <-ctx.Done():
			return nil
		}
	}
}

// Handler answers /metrics, /health and /ready: the first, and why the last fails, only who has the token, where there is one.
func Handler(metrics prometheus.Gatherer, token string, needs ...Check) http.Handler {
	mux := http.NewServeMux()
	numbers := promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !knows(r, token) {
			http.Error(w, "The token of "+TokenVariable+" is needed.", http.StatusUnauthorized)
			return
		}
		numbers.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, true) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) { answer(w, ask(r.Context(), needs), knows(r, token)) })
	return mux
}

// knows tells whether the caller has the token.
func knows(r *http.Request, token string) bool {
	return token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) == 1
}

// ask returns what fails, by its name.
func ask(ctx context.Context, needs []Check) map[string]string {
	failed := map[string]string{}
	for _, need := range needs {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		if err := need.Ask(ctx); err != nil {
			failed[need.Name] = err.Error()
		}
		cancel()
	}
	return failed
}

// state is the body of /health and /ready.
type state struct {
	Status string            `json:"status"` // ok, or unavailable
	Failed map[string]string `json:"failed,omitempty"`
}

// answer says why only to who may know: the reasons name hosts.
func answer(w http.ResponseWriter, failed map[string]string, why bool) {
	w.Header().Set("Content-Type", "application/json")
	said := state{Status: "ok"}
	if why {
		said.Failed = failed
	}
	if len(failed) > 0 {
		said.Status = "unavailable"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(said) // whoever asked may have left
}

// AskReady asks the process of that name whether it can work: what a container's health check runs, where there is no curl.
func AskReady(ctx context.Context, settings Settings, name string) error {
	at, err := settings.Listen.of(name)
	if err != nil {
		return err
	}
	if at == (place{}) {
		return fmt.Errorf("%s names no place for %s", Variable, name)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, at.network, at.address)
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+name+"/ready", nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	request.Header.Set("Authorization", "Bearer "+settings.Token)
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	defer func() { _ = response.Body.Close() }()
	var said state
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %v", name, said.Failed)
	}
	return nil
}
