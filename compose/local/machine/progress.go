package machine

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// stillWorking is how often a long task says that it is going on.
const stillWorking = 10 * time.Second

// Progress shows tasks that run side by side, one line at a time. It is safe for concurrent use.
type Progress struct {
	mutex sync.Mutex
	out   io.Writer
}

// NewProgress returns a Progress that writes to out.
func NewProgress(out io.Writer) *Progress { return &Progress{out: out} }

// Say prints one line.
func (p *Progress) Say(format string, arguments ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, _ = fmt.Fprintf(p.out, format+"\n", arguments...) // a terminal that has gone is no reason to stop
}

// Run runs one task: it says that it began, every so often that it is going on, and how it ended.
func (p *Progress) Run(ctx context.Context, name string, do func(context.Context) error) error {
	began := time.Now()
	p.Say("  … %s", name)
	done := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		ticks := time.NewTicker(stillWorking)
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
				p.Say("  … %s: still at it (%s)", name, since(began))
			}
		}
	})
	err := do(ctx)
	close(done)
	waiting.Wait()
	if err != nil {
		p.Say("  ✗ %s (%s)", name, since(began))
		return fmt.Errorf("%s: %w", name, err)
	}
	p.Say("  ✓ %s (%s)", name, since(began))
	return nil
}

func since(began time.Time) time.Duration { return time.Since(began).Round(100 * time.Millisecond) }
