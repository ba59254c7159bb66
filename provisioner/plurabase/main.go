// Command plurabase is the operator's: what the platform has no API for, because it concerns all of it. It works on the
// platform's own Postgres, with the settings of the provisioner's environment:
//
//	docker compose exec provisioner /plurabase doctor
//
// Each command prints for people, or with --json for programs. It ends with 0, with 1 where something is wrong, and with 2
// where it was asked wrongly.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/plurabase/plurabase/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], env.ToMap(os.Environ()), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errFound says that something is wrong, and that it has been told already.
var errFound = errors.New("something is wrong")

func run(ctx context.Context, arguments []string, environment map[string]string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := &tool{environment: environment, in: stdin, out: stdout}
	root := t.command() //nolint:contextcheck // cobra hands the context to what runs
	root.SetArgs(arguments)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return 1
	}
	_, _ = fmt.Fprintln(stderr, "plurabase:", err)
	if !t.asked {
		return 2
	}
	return 1
}

// tool is what every command works with.
type tool struct {
	environment map[string]string
	in          io.Reader
	out         io.Writer
	json        bool
	asked       bool // the arguments were right: what fails from here on is no misuse
}

func (t *tool) command() *cobra.Command {
	root := &cobra.Command{
		Use: "plurabase", Short: "Look after the whole platform",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { t.asked = true },
	}
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON")
	root.AddCommand(t.doctorCommand(), t.adminCommand(), t.operationsCommand())
	return root
}

// open opens the platform's state.
func (t *tool) open(ctx context.Context) (*store.Store, error) {
	var settings store.Settings
	if err := env.ParseWithOptions(&settings, env.Options{Environment: t.environment}); err != nil {
		return nil, fmt.Errorf("the settings are not usable: %w", err)
	}
	opened, err := store.Open(ctx, settings)
	if err != nil {
		return nil, err
	}
	if err := opened.Ping(ctx); err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}

// with opens the platform's state for as long as a command runs.
func (t *tool) with(do func(ctx context.Context, opened *store.Store, arguments []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, arguments []string) error {
		opened, err := t.open(command.Context())
		if err != nil {
			return err
		}
		defer opened.Close()
		return do(command.Context(), opened, arguments)
	}
}

// print prints a value as JSON, or what text writes in columns.
func (t *tool) print(value any, text func(columns io.Writer)) error {
	if t.json {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	columns := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	text(columns)
	return columns.Flush()
}

// said is the answer of a command that has nothing but a sentence to print.
type said struct {
	Message string `json:"message"`
}

func (t *tool) say(format string, arguments ...any) error {
	message := said{fmt.Sprintf(format, arguments...)}
	return t.print(message, func(columns io.Writer) { _, _ = fmt.Fprintln(columns, message.Message) })
}
