package pluginserver

import (
	"os/exec"
	"runtime"
)

// Spawner starts processes that do not outlive this one.
//
// Linux ends such a child when the thread that started it ends, and Go ends threads as it likes. So one thread, which
// lives as long as the spawner, starts them all.
type Spawner struct {
	requests chan func()
	done     chan struct{}
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner {
	s := &Spawner{requests: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		// Never unlocked: the thread ends with this function, and what is still running ends with it.
		runtime.LockOSThread()
		for request := range s.requests {
			request()
		}
	}()
	return s
}

// start starts the command on the spawner's thread.
func (s *Spawner) start(command *exec.Cmd) error {
	command.SysProcAttr = endWithParent()
	result := make(chan error, 1)
	s.requests <- func() { result <- command.Start() }
	return <-result
}

// Close ends the thread. No process may be started after it.
func (s *Spawner) Close() {
	close(s.requests)
	<-s.done
}
