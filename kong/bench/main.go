// Command bench measures the plugins as real processes behind kongtest's host, which stands in for Kong: what a request
// costs, against a plugin that only answers and against the same proxied request without a plugin, in the same run. A
// machine that does other things at the same time shows it in all figures alike; the ratios are what to look at.
//
//	go run ./kong/bench             the table, and one line that sums it up
//	go run ./kong/bench -soak 10m   load for a while; ends with an error where memory, goroutines or files grow
//	go run ./kong/bench -profile projects   CPU profiles of one case
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	options := options{}
	flag.DurationVar(&options.each, "each", time.Second, "how long each case is loaded in each round")
	flag.IntVar(&options.rounds, "rounds", 3, "how often each case is loaded; the median counts")
	flag.DurationVar(&options.upstream, "upstream", 5*time.Millisecond, "how long the stand-in for postgres-meta takes to answer")
	flag.StringVar(&options.profile, "profile", "", "load this case alone, and write CPU profiles of its plugin and of the gateway to the working folder")
	flag.DurationVar(&options.soak, "soak", 0, "load for so long, and look for what grows")
	flag.Parse()
	if err := run(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	each     time.Duration
	rounds   int
	upstream time.Duration
	profile  string
	soak     time.Duration
}

func run(ctx context.Context, o options) (err error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.soak > 0 {
		return w.soak(ctx, o.soak)
	}
	if o.profile != "" {
		return w.profile(ctx, o.profile)
	}
	footprint, err := w.footprint(ctx)
	if err != nil {
		return err
	}
	results, err := w.measure(ctx, o)
	if err != nil {
		return err
	}
	report(os.Stdout, o, footprint, results)
	return nil
}
