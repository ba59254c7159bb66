package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// respawnInterval is the shortest time between two starts (pluginserver_timer in Kong's process.lua).
	respawnInterval = time.Second
	// stopGrace is how long a process may take after SIGTERM.
	stopGrace = 2 * time.Second
	// readyInterval is how often a starting plugin's socket is tried.
	readyInterval = 5 * time.Millisecond
)

// process keeps a plugin's executable running.
type process struct {
	executable  string
	prefix      string // The directory of the socket.
	socket      string
	environment []string
	spawner     *Spawner
	logger      *slog.Logger

	stop    chan struct{} // Closed to end supervise, and with it the process.
	stopped chan struct{} // Closed by supervise.

	changing sync.Mutex // Held by replace and close, which must not meet.

	mu      sync.Mutex
	current *child
}

// child is one run of the executable.
type child struct {
	pid     int
	started time.Time
	exited  chan struct{}
	process *os.Process
}

// start starts the process and the goroutine that starts it again whenever it has died.
func (p *process) start() error {
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	// A host that was killed leaves the socket behind, and it must not be taken for the new one.
	if err := p.removeSocket(); err != nil {
		return err
	}
	c, err := p.spawn()
	if err != nil {
		return err
	}
	p.become(c)
	go p.supervise()
	return nil
}

// spawn runs the executable once.
func (p *process) spawn() (*child, error) {
	//nolint:noctx // supervise ends it
	command := exec.Command(p.executable, "-kong-prefix", p.prefix)
	command.Env = p.environment
	output := &lineWriter{line: func(line string) { p.logger.Info(line) }}
	command.Stdout, command.Stderr = output, output
	command.WaitDelay = time.Second
	if err := p.spawner.start(command); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.executable, err)
	}

	c := &child{pid: command.Process.Pid, started: time.Now(), exited: make(chan struct{}), process: command.Process}
	p.logger.Info("plugin process started", "pid", c.pid)
	go func() {
		defer close(c.exited)
		err := command.Wait()
		output.flush()
		p.logger.Info("plugin process ended", "pid", c.pid, "reason", err)
	}()
	return c, nil
}

func (p *process) supervise() {
	defer close(p.stopped)
	for {
		c := p.running()
		select {
		case <-p.stop:
			p.running().end()
			return
		case <-c.exited:
		}
		if p.running() != c {
			continue // Replaced, so the next one is running already.
		}
		if !p.respawn(c.started) {
			return
		}
	}
}

// respawn starts the process again, at most once in an interval; it returns false when the process is to stop instead.
func (p *process) respawn(last time.Time) bool {
	for {
		select {
		case <-p.stop:
			return false
		case <-time.After(time.Until(last.Add(respawnInterval))):
		}
		last = time.Now()
		c, err := p.spawn()
		if err == nil {
			p.become(c)
			return true
		}
		p.logger.Error("plugin process not started", "error", err)
	}
}

func (p *process) running() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// become makes c the process that counts, and gives the one before.
func (p *process) become(c *child) (before *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.current = p.current, c
	return before
}

// replace starts a second process beside the first, waits until it has taken the socket over, and ends the first. It is
// what a reload of Kong does to a plugin.
func (p *process) replace(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	select {
	case <-p.stop:
		return errors.New("the plugin's process has been stopped")
	default:
	}

	before, err := os.Stat(p.socket)
	if err != nil {
		return fmt.Errorf("look at the plugin's socket: %w", err)
	}
	next, err := p.spawn()
	if err != nil {
		return err
	}
	if err := p.ready(ctx, before); err != nil {
		next.end()
		return err
	}
	p.become(next).end()
	return nil
}

// ready waits until the socket answers. A socket file that was there before does not count.
func (p *process) ready(ctx context.Context, before fs.FileInfo) error {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		if p.answers(ctx, before) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the socket %s: %w", p.socket, ctx.Err())
		case <-ticker.C:
		}
	}
}

// answers says whether a new process listens at the socket.
func (p *process) answers(ctx context.Context, before fs.FileInfo) bool {
	now, err := os.Stat(p.socket)
	if err != nil || (before != nil && os.SameFile(before, now)) {
		return false
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", p.socket)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// close ends the process for good and removes its socket.
func (p *process) close() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	close(p.stop)
	<-p.stopped
	return p.removeSocket()
}

func (p *process) removeSocket() error {
	if err := os.Remove(p.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the plugin's socket: %w", err)
	}
	return nil
}

// end asks the process to end, and makes it. It returns when it has.
func (c *child) end() {
	// An error says that it has ended already.
	_ = c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
		return
	case <-time.After(stopGrace):
	}
	_ = c.process.Kill()
	<-c.exited
}

// alive says whether the process has not been seen to end.
func (c *child) alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}
