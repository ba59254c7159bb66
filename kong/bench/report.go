package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// report writes the figures for people, then for benchstat, then in one line.
func report(out io.Writer, o options, footprints []footprint, results []result) {
	p := func(format string, arguments ...any) { _, _ = fmt.Fprintf(out, format+"\n", arguments...) }
	p("%s, %d cores; %s %s/%s; kongtest's host (a stand-in for Kong), load, Postgres and plugins on the same cores", processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	p("%d rounds of %s; the stand-in for postgres-meta takes %s; somebody with %d organizations and %d projects", o.rounds, o.each, o.upstream, organizationCount, projectCount/organizationCount*organizationCount)
	p("")
	p("%-16s %10s %12s %14s", "plugin", "size MB", "idle MB", "first answer")
	for _, f := range footprints {
		p("%-16s %10.1f %12.1f %14s", f.plugin, float64(f.size)/1e6, float64(f.idle)/1024, f.firstAnswer.Round(time.Millisecond))
	}
	p("")
	p("%-16s %5s %10s %9s %9s %9s %11s %8s %9s", "request", "conns", "per second", "p50", "p90", "p99", "plugin CPU", "bytes", "of empty")
	for _, r := range results {
		p("%-16s %5d %10.0f %9s %9s %9s %11s %8d %8.0f%%", r.name, r.connections, r.perSecond(),
			short(r.percentile(50)), short(r.percentile(90)), short(r.percentile(99)), short(r.cpuEach()), r.bytes,
			100*ratio(results, r.name, r.connections))
	}
	p("")
	for _, r := range results {
		p("BenchmarkGateway/%s/conns=%d %d %d ns/op %d p99-ns %d cpu-ns/op", r.name, r.connections, len(r.latencies),
			r.percentile(50).Nanoseconds(), r.percentile(99).Nanoseconds(), r.cpuEach().Nanoseconds())
	}
	p("")
	p("bench: profile %.0f%% of an empty plugin, permissions %.0f%%, projects %.0f%%, pg-meta +%.0f%%, a project +%.0f%% (alone +%.0f%%, +%.0f%%)",
		100*ratio(results, caseProfile, 16), 100*ratio(results, casePermissions, 16), 100*ratio(results, caseProjects, 16),
		100*added(results, casePgMeta, caseDirect, 16), 100*added(results, caseProject, caseRest, 16),
		100*added(results, casePgMeta, caseDirect, 1), 100*added(results, caseProject, caseRest, 1))
}

func short(d time.Duration) string { return d.Round(time.Microsecond).String() }

func find(results []result, name string, connections int) result {
	for _, r := range results {
		if r.name == name && r.connections == connections {
			return r
		}
	}
	return result{}
}

// ratio is a request's throughput, as a part of the plugin's that only answers.
func ratio(results []result, name string, connections int) float64 {
	return find(results, name, connections).perSecond() / find(results, caseEmpty, connections).perSecond()
}

// added is what a plugin adds to the latency of what goes on to its upstream.
func added(results []result, with, without string, connections int) float64 {
	return float64(find(results, with, connections).percentile(50))/float64(find(results, without, connections).percentile(50)) - 1
}

// processor is the machine's, as Linux names it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // empty elsewhere
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
