package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are what /proc counts a process' time in: USER_HZ, 100 a second on every Linux that Go runs on.
const ticks = 100

// cpu is what a plugin's process has used up to now.
func (w *world) cpu(plugin string) (time.Duration, error) {
	if plugin == "" {
		return 0, nil
	}
	pid, ok := w.host.PluginPID(plugin)
	if !ok {
		return 0, fmt.Errorf("%s does not run", plugin)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name may have anything in it; what follows its bracket has 11 fields before utime and stime (proc(5)).
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var used int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		used += n
	}
	return time.Duration(used) * time.Second / ticks, nil
}

// resident is the memory of a process, in KiB.
func resident(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		}
	}
	return 0, fmt.Errorf("process %d says nothing of its memory", pid)
}

// files is how many files a process has open.
func files(pid int) (int, error) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(open), err
}

// goroutines asks a plugin for its number of them.
func (w *world) goroutines(ctx context.Context, plugin string) (count int, err error) {
	err = w.askProfile(ctx, plugin, "goroutine?debug=1", func(body io.Reader) error {
		_, err := fmt.Fscanf(body, "goroutine profile: total %d", &count)
		return err
	})
	return count, err
}

// askProfile asks a plugin for one of its profiles, at the socket that it has for them.
func (w *world) askProfile(ctx context.Context, plugin, which string, read func(io.Reader) error) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(w.folder, plugin+".pprof"))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://plugin/debug/pprof/"+which, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return read(response.Body)
}
