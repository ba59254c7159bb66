package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// footprint is what a plugin takes while it does nothing.
type footprint struct {
	plugin      string
	size        int64 // of the executable, in bytes
	idle        int   // resident, in KiB
	firstAnswer time.Duration
}

// idleFor is how long a plugin is left alone before its memory is looked at.
const idleFor = 2 * time.Second

// footprint replaces each plugin's process, asks it for one answer, and leaves it alone.
func (w *world) footprint(ctx context.Context) ([]footprint, error) {
	var all []footprint
	for _, s := range w.scenarios() {
		if s.name != caseEmpty && s.name != casePermissions && s.name != casePgMeta && s.name != caseProject {
			continue
		}
		one, err := w.footprintOf(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (w *world) footprintOf(ctx context.Context, s scenario) (footprint, error) {
	executable, err := os.Stat(w.binary(s.plugin))
	if err != nil {
		return footprint{}, err
	}
	client, err := w.dial(ctx)
	if err != nil {
		return footprint{}, err
	}
	defer client.close()
	began := time.Now()
	if err := w.host.ReplacePlugin(ctx, s.plugin); err != nil {
		return footprint{}, err
	}
	if _, _, err := client.ask(s); err != nil {
		return footprint{}, err
	}
	first := time.Since(began)
	time.Sleep(idleFor)
	pid, ok := w.host.PluginPID(s.plugin)
	if !ok {
		return footprint{}, fmt.Errorf("%s does not run", s.plugin)
	}
	idle, err := resident(pid)
	return footprint{plugin: s.plugin, size: executable.Size(), idle: idle, firstAnswer: first}, err
}
