package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// maxIdle is how many idle connections are kept (lua_socket_pool_size in Kong's kong_defaults.lua).
const maxIdle = 256

// pool keeps the connections to one socket between calls.
type pool struct {
	path    string
	timeout time.Duration

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// get takes the connection that was used last, or makes one. It never gives out a connection that the plugin has closed
// meanwhile: nginx notices such an end at once and drops the connection.
func (p *pool) get(ctx context.Context) (*conn, error) {
	for {
		c := p.pop()
		if c == nil {
			break
		}
		if stillOpen(c) {
			return c, nil
		}
		_ = c.Close()
	}
	dialer := net.Dialer{Timeout: p.timeout}
	c, err := dialer.DialContext(ctx, "unix", p.path)
	if err != nil {
		return nil, fmt.Errorf("connect to the plugin: %w", err)
	}
	return &conn{Conn: c, timeout: p.timeout}, nil
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put keeps a connection for the next call.
func (p *pool) put(c *conn) {
	// A deadline that has passed while idle would end the next check for life.
	if err := c.SetDeadline(time.Time{}); err != nil {
		_ = c.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdle {
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, c)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}

// stillOpen looks at an idle connection without waiting. Between calls a plugin has nothing to say, so anything but
// "nothing there yet" makes the connection useless.
func stillOpen(c *conn) bool {
	raw, err := c.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && open
}
