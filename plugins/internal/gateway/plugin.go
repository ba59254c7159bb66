package gateway

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/Kong/go-pdk/server"
	"github.com/caarlos0/env/v11"
)

// Version is what the plugins report to Kong.
const Version = "0.1.0"

// Priority is where the plugins run among Kong's own: after cors (2000), the authentications and the limits, before
// request-termination (2), which is the second guard.
const Priority = 500

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
// the question comes before there is a network. prepare reads the settings and opens what the plugin works with.
func Main(newConfig func() any, prepare func() error) {
	flag.Parse()
	if flag.Lookup("dump").Value.String() != "true" {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := server.StartServer(newConfig, Version, Priority); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
