package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// profiledSeconds is how long a profile takes.
const profiledSeconds = 10

// profile loads one case alone, and writes two CPU profiles of the meantime to the working folder: of the plugin, and of
// this process, which is the gateway's stand-in and the load.
func (w *world) profile(ctx context.Context, name string) error {
	cases := w.scenarios()
	i := slices.IndexFunc(cases, func(s scenario) bool { return s.name == name })
	if i < 0 || cases[i].plugin == "" {
		return fmt.Errorf("there is no case %q with a plugin", name)
	}
	own, err := os.Create(name + ".gateway.pprof")
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	if err := pprof.StartCPUProfile(own); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.writeProfile(ctx, cases[i].plugin, name+".plugin.pprof") })
	group.Go(func() error {
		l, err := w.run(ctx, cases[i], soakConnections, (profiledSeconds+1)*time.Second)
		if err == nil {
			fmt.Printf("%s: %.0f a second, plugin CPU %s\n", name, l.perSecond(), l.cpuEach())
		}
		return err
	})
	return group.Wait()
}

func (w *world) writeProfile(ctx context.Context, plugin, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return w.askProfile(ctx, plugin, fmt.Sprintf("profile?seconds=%d", profiledSeconds), func(body io.Reader) error {
		_, err := io.Copy(file, body)
		return err
	})
}
