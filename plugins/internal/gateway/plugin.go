package gateway

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/caarlos0/env/v11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/plurabase/plurabase/migrations"
	"github.com/plurabase/plurabase/plugins/internal/server"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/telemetry"
)

// Version is what the plugins report to Kong.
const Version = "0.1.0"

// Priority is where the plugins run among Kong's own: after cors (2000), the authentications and the limits, before
// post-function (-1000), which is the second guard.
const Priority = 500

// collectAt is GOGC where nobody sets it. What a plugin keeps is a few MB, which at Go's own 100 are gone through dozens of
// times a second under load.
const collectAt = 400

// What Kong gives to a plugin's executable (-kong-prefix, -dump), and what a container's health check does.
var (
	kongPrefix = flag.String("kong-prefix", "/usr/local/kong", "Kong's folder, in which the plugin's socket is")
	dump       = flag.Bool("dump", false, "Print the plugin's phases and the schema of its configuration, as Kong asks for them")
	askReady   = flag.Bool("ready", false, "Ask the plugin that runs whether it can work, for a container's health check")
)

// NewLog returns the log of a plugin: lines on standard error, which Kong takes into its own log.
func NewLog() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

// Settings reads a plugin's settings from the environment; S says by `env` tags what they are, and by Check what tags
// cannot say. Kong wipes the environment of its plugins but for what KONG_NGINX_MAIN_ENV lists. The error names every
// missing or wrong setting.
func Settings[S interface{ Check() error }]() (S, error) {
	settings, err := env.ParseAs[S]()
	return settings, errors.Join(err, settings.Check())
}

// Main runs a plugin until Kong ends it. Where Kong only asks for the plugin's schema (-dump), nothing is prepared:
// the question comes before there is a network. prepare reads the settings and opens what the plugin works with; its
// context ends with the plugin.
func Main(newConfig func() any, prepare func(context.Context) error) {
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if err := run(newConfig, prepare); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(newConfig func() any, prepare func(context.Context) error) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the plugin's own name: %w", err)
	}
	name := filepath.Base(executable)
	socket := filepath.Join(*kongPrefix, name+".socket")
	if *dump {
		return printDump(newConfig, name, socket)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	watched, err := env.ParseAs[telemetry.Settings]()
	if err != nil {
		return err
	}
	if *askReady {
		return telemetry.AskReady(ctx, watched, name)
	}
	made, flush, err := telemetry.Trace(ctx, name, Version)
	if err != nil {
		return err
	}
	defer flush()
	tracer = made
	if err := prepare(ctx); err != nil {
		return err
	}
	if err := telemetry.Serve(ctx, watched, name, prometheus.DefaultGatherer, NewLog(), needs...); err != nil {
		return err
	}
	if err := serveProfiles(ctx, name); err != nil {
		return err
	}
	listener, err := server.Listen(socket)
	if err != nil {
		return err
	}
	return server.New(newConfig, NewLog()).Serve(ctx, listener)
}

// needs are what the plugin cannot work without.
var needs []telemetry.Check

// OpenStore opens the platform's state as a plugin needs it: measured, and traced where traces are sent.
func OpenStore(ctx context.Context, settings store.Settings, options ...store.Option) (*store.Store, error) {
	if tracer != nil {
		options = append(options, store.WithTraces())
	}
	opened, err := store.Open(ctx, settings, options...)
	if err != nil {
		return nil, err
	}
	prometheus.MustRegister(opened.Metrics())
	needs = append(needs, telemetry.Check{Name: "postgres", Ask: func(ctx context.Context) error {
		return opened.CheckSchema(ctx, migrations.Newest())
	}})
	return opened, nil
}

func printDump(newConfig func() any, name, socket string) error {
	printed, err := server.Dump(newConfig, name, socket, Version, Priority)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(printed))
	return err
}
