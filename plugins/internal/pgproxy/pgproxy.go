// Package pgproxy is one Postgres port for every project: it takes connections of Postgres' protocol, finds the project that each is for,
// asks whether its client is let in, and passes bytes between the client and that project's own database.
//
// It pools nothing and logs nobody in: a connection of a client is a connection of the database, whose own word it is whether a
// password is right. What it reads is the first packet; from then on it looks at no more than the lengths of the database's messages, until
// the one that has the key by which a client cancels its queries.
package pgproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

const (
	// startupTimeout is for TLS and the first packet. Nobody types anything until then.
	startupTimeout = 10 * time.Second
	// loginTimeout is Postgres' own authentication_timeout.
	loginTimeout = time.Minute
	// dialTimeout is for reaching a project's database, which is near, and for passing a cancellation on.
	dialTimeout = 5 * time.Second
	// refusalTimeout is for telling a client why it is refused, and lingerTimeout for a client to close when its database has.
	refusalTimeout = time.Second
	lingerTimeout  = 5 * time.Second
	// grace is how long connections may go on when the process is to end. Kong kills it a little later.
	grace = 10 * time.Second
	// acceptAgain is the pause after a connection could not be accepted, for want of file descriptors mostly.
	acceptAgain = 100 * time.Millisecond
)

// keepAlive finds peers that are gone without a word within two minutes, and keeps what is idle from being forgotten by what lies between.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// Projects says where connections go.
type Projects interface {
	Database(named dataplane.Naming, client netip.Addr) (dataplane.Database, *dataplane.Refusal)
}

// Settings are an operator's.
type Settings struct {
	// Connections, and of one project, that are open at once.
	Connections, ProjectConnections int
	// Certificate and Key are PEM files; empty: a certificate that is made at the start and signed by nobody.
	Certificate, Key string
	// RequireTLS refuses connections in plain text.
	RequireTLS bool
}

// Proxy passes connections on. It is safe for concurrent use.
type Proxy struct {
	projects Projects
	settings Settings
	dialer   net.Dialer
	limits   *limits
	cancels  cancels
	log      *slog.Logger

	startupTimeout time.Duration // a test is in more of a hurry
}

// New returns a Proxy to the projects.
func New(projects Projects, settings Settings, log *slog.Logger) *Proxy {
	return &Proxy{
		projects: projects, settings: settings, log: log, limits: newLimits(settings), cancels: cancels{held: map[string]*held{}},
		dialer: net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}, startupTimeout: startupTimeout,
	}
}

// Serve takes connections until ctx ends. Those that are open have a while then.
func (p *Proxy) Serve(ctx context.Context, listener net.Listener, certificates Certificates) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var open sync.WaitGroup
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			open.Go(func() { p.serve(life, conn, certificates) })
		case ctx.Err() != nil:
			drain(&open, end)
			return nil
		case errors.Is(err, net.ErrClosed):
			end()
			open.Wait()
			return fmt.Errorf("accept: %w", err)
		default:
			p.log.Warn("a connection to the Postgres port could not be accepted", "error", err.Error())
			pause(ctx, acceptAgain)
		}
	}
}

// drain waits for the connections to end by themselves, and ends what is left of them after a while.
func drain(open *sync.WaitGroup, end context.CancelFunc) {
	timer := time.AfterFunc(grace, end)
	defer timer.Stop()
	open.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// serve serves one connection, until it is over or ctx is.
func (p *Proxy) serve(ctx context.Context, conn net.Conn, certificates Certificates) {
	defer func() { _ = conn.Close() }()
	defer func() {
		if cause := recover(); cause != nil { // one connection's, and not the process'
			p.log.Error("panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(p.startupTimeout))
	c := &client{Conn: conn, address: addressOf(conn)}
	begun, refused := p.limits.begin()
	if refused != nil { // said and done: one more of these has no place to wait in
		_ = tell(c, *refused)
		return
	}
	defer begun()
	opening, err := c.open(ctx, certificates)
	switch {
	case err != nil:
		count(reasonOf(err))
	case opening.cancel != nil:
		p.cancel(ctx, opening.cancel)
	default:
		p.start(ctx, c, opening.start, begun)
	}
}

func addressOf(conn net.Conn) netip.Addr {
	if address, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return address.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
