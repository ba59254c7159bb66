//go:build unix

package pgproxy

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listenAgain is the pause after the port could not be opened.
const listenAgain = time.Second

// Run keeps the port open at an address until ctx ends. What keeps it from that is logged, once for each reason, and tried again:
// projects' HTTP does not depend on it.
func (p *Proxy) Run(ctx context.Context, address string) {
	var before string
	for ctx.Err() == nil {
		err := p.listenAndServe(ctx, address)
		if err != nil && err.Error() != before && ctx.Err() == nil {
			before = err.Error()
			p.log.Error("the Postgres port is not open, and is tried again", "address", address, "error", before)
		}
		pause(ctx, listenAgain)
	}
}

func (p *Proxy) listenAndServe(ctx context.Context, address string) error {
	certificates, err := p.certificates()
	if err != nil {
		return err
	}
	listener, err := Listen(ctx, address)
	if err != nil {
		return err
	}
	listening.Set(1)
	defer listening.Set(0)
	p.log.Info("the Postgres port is open", "address", listener.Addr().String())
	return p.Serve(ctx, listener, certificates)
}

// Listen opens the port beside the process before this one, if that still has it: when Kong reloads, both live for some seconds,
// and whoever connects gets to either. Only processes of the same user can share a port so.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: keepAlive, Control: func(_, _ string, socket syscall.RawConn) error {
		var failed error
		err := socket.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the Postgres port: %w", err)
	}
	return listener, nil
}
