package execute

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Crash ends the process with SIGKILL at one point of one kind of operation: when a step is done, and before anything
// has noted it. It is a test seam: the setting PLURABASE_CRASH is empty outside tests. The zero value never ends anything.
type Crash struct{ operation, step string }

// UnmarshalText reads `operation/step`: `create/start-container:db`.
func (c *Crash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = Crash{}
		return nil
	}
	var both bool
	if c.operation, c.step, both = strings.Cut(string(text), "/"); !both || c.operation == "" || c.step == "" {
		return errors.New("must be operation/step, as create/start-container:db")
	}
	return nil
}

// Watch returns a recorder that is like another one until the point is reached.
func (c Crash) Watch(operation string, recorder Recorder) Recorder {
	if c.step == "" || c.operation != operation {
		return recorder
	}
	return &doomed{Recorder: recorder, step: c.step}
}

// doomed is a recorder under which a process ends.
type doomed struct {
	Recorder
	step string

	mutex sync.Mutex
	ids   []int64 // of the step's tries
}

func (d *doomed) StartStep(ctx context.Context, step, cause string) (int64, error) {
	id, err := d.Recorder.StartStep(ctx, step, cause)
	if err == nil && step == d.step {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.ids = append(d.ids, id)
	}
	return id, err
}

func (d *doomed) FinishStep(ctx context.Context, id int64, failure error) error {
	if failure == nil && d.isTheStep(id) {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // the signal arrives while this thread may still run
	}
	return d.Recorder.FinishStep(ctx, id, failure)
}

func (d *doomed) isTheStep(id int64) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Contains(d.ids, id)
}
