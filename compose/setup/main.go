// Command setup prepares what `docker compose` runs.
//
//	setup env           on the operator's machine: make .env with secrets of its own, or complete the one that is there, and the CLI's profile
//	setup prepare       in a container, before everything else: roles and schemas of the platform's own database
//	setup first-start   in a container, when GoTrue answers: the first administrator and an organization
//	setup adopt         in a container beside an installation of upstream's: that installation as the first project
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/caarlos0/env/v11"
)

const usage = `usage: setup env [-file .env] [-email YOU@DOMAIN] [-url http://localhost:8000] | setup prepare | setup first-start | setup adopt [-again]`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New(usage)
	}
	switch arguments[0] {
	case "env":
		return runEnv(arguments[1:]) //nolint:contextcheck // it asks for a port of this machine alone, which takes no time
	case "prepare":
		settings, err := env.ParseAs[prepareSettings]()
		if err != nil {
			return err
		}
		return settings.prepare(ctx)
	case "first-start":
		settings, err := env.ParseAs[firstStartSettings]()
		if err != nil {
			return err
		}
		return settings.firstStart(ctx, os.Stdout)
	case "adopt":
		settings, err := env.ParseAs[adoptSettings]()
		if err != nil {
			return err
		}
		return settings.adopt(ctx, slices.Contains(arguments[1:], "-again"), os.Stdout)
	default:
		return errors.New(usage)
	}
}

func runEnv(arguments []string) error {
	flags := flag.NewFlagSet("setup env", flag.ContinueOnError)
	file := flags.String("file", ".env", "the file to make or to complete")
	email := flags.String("email", "", "the first administrator's e-mail address; without one, whoever signs up first begins")
	url := flags.String("url", "http://localhost:8000", "where browsers will reach the gateway")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := completeFile(*file, wanted{Email: *email, PublicURL: *url, DockerGroup: dockerGroup(), PostgresTaken: postgresTaken()}, os.Stdout); err != nil {
		return err
	}
	return writeProfile(*file)
}
