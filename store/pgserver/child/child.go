//go:build unix

// Package child starts processes that end with the process that started them, even when that one is killed.
package child

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running child. Its methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// Start starts cmd in a process group of its own, so that a Ctrl-C in the terminal reaches the parent alone and the
// parent decides the order in which things end. When the parent dies, Linux sends onParentDeath to the child.
func Start(cmd *exec.Cmd, onParentDeath syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	signalOnParentDeath(cmd.SysProcAttr, onParentDeath)

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's "parent" is the thread that forked: it has to live as long as the child. The goroutine never
		// unlocks it, so it ends with the goroutine and not before.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Pid is the child's process id, and its process group's.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child ended: nil for exit status 0. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child to end with signal, and kills its whole process group when it has not ended within grace or left
// processes behind. It returns when the child has ended, and tells whether it ended by itself.
func (p *Process) Stop(signal syscall.Signal, grace time.Duration) (inTime bool) {
	_ = p.cmd.Process.Signal(signal) // fails only when the child has ended already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		inTime = true
	case <-timer.C:
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // fails when nobody is left in the group
	<-p.done
	return inTime
}
