package execute

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// Pulls lets projects that need the same image at the same time wait for one pull of it. The zero value is ready.
type Pulls struct {
	mutex   sync.Mutex
	running map[string]*pull
}

// pull is one that goes on as long as anybody waits for it.
type pull struct {
	waiting  int // guarded by Pulls.mutex
	end      context.CancelFunc
	ended    chan struct{}
	err      error // once ended is closed
	mutex    sync.Mutex
	progress engine.Progress
}

// noteEvery is how often the progress of a pull is written down, where there is any.
const noteEvery = time.Second

// Get pulls an image, or waits for whoever does. note is told how far it has come.
func (p *Pulls) Get(ctx context.Context, runtime engine.Engine, image string, note func(engine.Progress) error) error {
	one := p.join(ctx, runtime, image)
	defer p.leave(image, one)
	ticker := time.NewTicker(noteEvery)
	defer ticker.Stop()
	var noted engine.Progress
	for {
		select {
		case <-one.ended:
			if one.err != nil {
				return fmt.Errorf("the image %s cannot be pulled: %w", image, one.err)
			}
			return note(engine.Progress{Percent: 100, Detail: one.last().Detail})
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if now := one.last(); now != noted {
				if err := note(now); err != nil {
					return err
				}
				noted = now
			}
		}
	}
}

func (p *Pulls) join(ctx context.Context, runtime engine.Engine, image string) *pull {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if one := p.running[image]; one != nil {
		one.waiting++
		return one
	}
	pulling, end := context.WithCancel(context.WithoutCancel(ctx)) // it is not the first one's alone
	one := &pull{waiting: 1, end: end, ended: make(chan struct{})}
	if p.running == nil {
		p.running = map[string]*pull{}
	}
	p.running[image] = one
	go func() {
		one.err = runtime.PullImage(pulling, image, one.note)
		p.forget(image, one)
		close(one.ended)
	}()
	return one
}

// leave ends a pull that nobody waits for any more.
func (p *Pulls) leave(image string, one *pull) {
	p.mutex.Lock()
	one.waiting--
	last := one.waiting == 0
	if last && p.running[image] == one {
		delete(p.running, image)
	}
	p.mutex.Unlock()
	if last {
		one.end()
		<-one.ended
	}
}

// forget lets the next one who needs the image begin anew.
func (p *Pulls) forget(image string, one *pull) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.running[image] == one {
		delete(p.running, image)
	}
}

func (o *pull) note(progress engine.Progress) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	progress.Percent = max(progress.Percent, o.progress.Percent) // layers become known one after the other
	o.progress = progress
}

func (o *pull) last() engine.Progress {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.progress
}
