// Command provisioner is the sidecar that runs each project's stack on Docker. It is told what to do through Postgres
// and nothing else: internal/reconcile takes projects whose wanted and seen states differ, internal/stack says what a
// project should look like, internal/plan decides the steps, internal/execute takes them, internal/engine is Docker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/plurabase/plurabase/migrations"
	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/provisioner/internal/adopted"
	"github.com/plurabase/plurabase/provisioner/internal/engine/docker"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/logs"
	"github.com/plurabase/plurabase/provisioner/internal/measure"
	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], env.ToMap(os.Environ()), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, environment map[string]string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("provisioner", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = fmt.Fprint(stdout, usage) }
	printVersion := flags.Bool("version", false, "print the version")
	askReady := flags.Bool("ready", false, "ask the provisioner that runs whether it can work")
	keepHouse := flags.Bool("housekeeping", false, "list what should not be there any more")
	apply := flags.Bool("apply", false, "with -housekeeping: remove it")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *printVersion {
		_, err := fmt.Fprintln(stdout, version())
		return err
	}
	if *askReady {
		return telemetry.AskReady(ctx, telemetry.Settings{
			Listen: telemetry.Listen(environment[telemetry.Variable]), Token: environment[telemetry.TokenVariable],
		}, processName)
	}
	settings, err := readSettings(environment)
	if err != nil {
		return err
	}
	if *keepHouse {
		return housekeeping(ctx, settings, *apply, stdout, newLogger(settings, stderr))
	}
	return provision(ctx, settings, newLogger(settings, stderr))
}

// provision works until ctx ends.
func provision(ctx context.Context, settings *settings, log *slog.Logger) error {
	tracer, flush, err := telemetry.Trace(ctx, processName, version())
	if err != nil {
		return err
	}
	defer flush()
	var options []store.Option
	if tracer != nil {
		options = append(options, store.WithTraces())
	}
	state, err := store.Open(ctx, settings.Settings, options...)
	if err != nil {
		return err
	}
	defer state.Close()
	engine, err := docker.New(settings.Docker)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	if err := watch(ctx, settings, state, engine, log); err != nil {
		return err
	}
	if !migrate(ctx, settings.DatabaseURL, log) {
		return nil
	}
	reconciler := settings.worker(state, engine, log)
	if err := serveBackups(ctx, settings.Backups.Listen, reconciler.Backups); err != nil {
		return err
	}
	log.Info("working", "target", settings.Target, "version", version())
	looking := adopted.Watcher{State: state, Owner: owner(), Version: version(), Interval: adoptedInterval, Log: log}
	var background sync.WaitGroup
	background.Go(func() { looking.Run(ctx) })
	reading := logs.Reader{State: state, Engine: engine, Target: settings.Target, Log: log}
	background.Go(func() { reading.Run(ctx) })
	if settings.MeasureEvery > 0 {
		measuring := measure.Watcher{State: state, Engine: engine, Target: settings.Target, Every: settings.MeasureEvery, Log: log, Now: time.Now}
		background.Go(func() { measuring.Run(ctx) })
	}
	reconciler.Run(ctx)
	background.Wait()
	log.Info("stopped")
	return nil
}

const (
	pollInterval = 500 * time.Millisecond // how often a service that comes up is looked at
	retryMin     = time.Second
	retryMax     = time.Minute
	// adoptedInterval is how often adopted installations are looked at: well within what a target's heartbeat is waited for.
	adoptedInterval = 10 * time.Second
)

// processName is what the process is called where it is watched.
const processName = "provisioner"

// watch answers whoever watches the process, from before the first migration on.
func watch(ctx context.Context, settings *settings, state *store.Store, engine *docker.Engine, log *slog.Logger) error {
	watched := prometheus.NewRegistry()
	watched.MustRegister(state.Metrics(), reconcile.Queue(state, settings.Target))
	return telemetry.Serve(ctx, settings.Watched, processName, prometheus.Gatherers{prometheus.DefaultGatherer, watched}, log,
		telemetry.Check{Name: "postgres", Ask: func(ctx context.Context) error { return state.CheckSchema(ctx, migrations.Newest()) }},
		telemetry.Check{Name: "docker", Ask: engine.Ping},
	)
}

// migrate brings the schema up to date, and waits for Postgres as long as it takes. It returns false when ctx ended.
func migrate(ctx context.Context, databaseURL string, log *slog.Logger) bool {
	for delay := retryMin; ; delay = min(2*delay, retryMax) {
		err := apply.Up(ctx, databaseURL)
		if err == nil {
			return true
		}
		log.Warn("could not migrate the database, trying again", "error", err, "after", delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return false
		}
	}
}

// worker is the reconciler that the settings describe.
func (s *settings) worker(state *store.Store, engine *docker.Engine, log *slog.Logger) *reconcile.Reconciler {
	return &reconcile.Reconciler{
		Store: state, Log: log, Settings: s.reconciler(), Crash: s.Crash, Backups: s.keeper(state, engine, log),
		Executor: execute.Executor{Engine: engine, Pulls: &execute.Pulls{}, Failures: &s.Fail, Poll: pollInterval},
	}
}

func (s *settings) reconciler() reconcile.Settings {
	return reconcile.Settings{
		Target: s.Target, Owner: owner(), Version: version(),
		Lease: s.Lease, Heartbeat: s.Lease * 3 / 10, Resync: s.Resync, Deadline: s.Deadline, Workers: s.Workers,
		RetryMin: retryMin, RetryMax: retryMax, RemoveOrphans: s.RemoveOrphans,
		Stack: stack.Settings{
			Images: s.Images, Address: s.DBAddress, Bind: s.PortBind, Shared: s.SharedContainers,
			PublicURL: s.PublicURL, ProjectDomain: s.ProjectDomain, GatewayURL: s.GatewayURL, Mail: stack.Mail(s.Mail),
		},
		Services: s.Services,
		Subnets:  store.SubnetPool{Pool: s.SubnetPool, Bits: s.SubnetBits},
		Ports:    store.PortRange(s.PortRange),
	}
}

func newLogger(settings *settings, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.LogLevel}
	if settings.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}

// owner names this process for people who look at a lease.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// version is the module's, as the Go tool recorded it in the binary.
func version() string {
	info, known := debug.ReadBuildInfo()
	if !known || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
