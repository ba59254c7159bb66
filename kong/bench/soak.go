package main

import (
	"context"
	"fmt"
	"time"
)

// soakConnections is the load of the soak.
const soakConnections = 16

// sample is what a plugin's process holds at one moment.
type sample struct {
	resident, goroutines, files int
}

// soak loads the plugins for a while, and fails where a process holds more at the end than after a fifth of the time. Memory
// may differ by a quarter: when Go's collector last ran is chance.
func (w *world) soak(ctx context.Context, lasts time.Duration) error {
	began := time.Now()
	first := map[string]sample{}
	requests := 0
	for time.Since(began) < lasts {
		for _, s := range w.scenarios() {
			l, err := w.run(ctx, s, soakConnections, min(time.Second, lasts/20))
			if err != nil {
				return err
			}
			requests += len(l.latencies)
		}
		if len(first) == 0 && time.Since(began) > lasts/5 {
			var err error
			if first, err = w.sample(ctx); err != nil {
				return err
			}
			fmt.Printf("after %s: %v\n", time.Since(began).Round(time.Second), first)
		}
	}
	last, err := w.sample(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("after %s: %v\n", time.Since(began).Round(time.Second), last)
	for plugin, now := range last {
		before := first[plugin]
		if now.resident > before.resident*5/4 || now.goroutines > before.goroutines+soakConnections || now.files > before.files+soakConnections {
			return fmt.Errorf("%s grows: %+v, then %+v", plugin, before, now)
		}
	}
	fmt.Printf("soak: ok, %d requests in %s, memory, goroutines and files stay\n", requests, time.Since(began).Round(time.Second))
	return nil
}

func (w *world) sample(ctx context.Context) (map[string]sample, error) {
	all := map[string]sample{}
	for _, plugin := range []string{platformAPI, pgMetaCrypto, projectGateway} {
		pid, ok := w.host.PluginPID(plugin)
		if !ok {
			return nil, fmt.Errorf("%s does not run", plugin)
		}
		var one sample
		var err error
		if one.resident, err = resident(pid); err != nil {
			return nil, err
		}
		if one.files, err = files(pid); err != nil {
			return nil, err
		}
		if one.goroutines, err = w.goroutines(ctx, plugin); err != nil {
			return nil, err
		}
		all[plugin] = one
	}
	return all, nil
}
