// Command kong-render makes Kong's one declarative configuration of upstream's kong.yml, or of our own for a stand-alone
// platform, and kong.platform.yml. Kong's container runs it at its start; by hand it tells an operator what it would do.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/plurabase/plurabase/kong/render"
)

const usage = `usage: kong-render -base kong.yml [-platform kong.platform.yml]… [-out FILE] [-diff]

It merges the platform's routes into Kong's declarative configuration, by name, and puts environment variables into both.
Nothing is executed. Without -out the result goes to standard output; -diff tells what it differs in from the base, and
writes nothing else.

Settings, from the environment:
  PLATFORM_DASHBOARD_BASIC_AUTH_ENABLED   true: Studio stays behind Kong's basic-auth as well (false)
  PLATFORM_SIGN_IN_AT_BASE                true: people sign in to the platform at the base's own GoTrue, so its auth routes
                                          let requests without an API key through to it (false)

Flags:
`

func main() {
	if err := run(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string, lookup render.Lookup, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kong-render", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	base := flags.String("base", "", "upstream's kong.yml")
	var platform []string
	flags.Func("platform", "the platform's routes; several are merged one after the other (kong.platform.yml)", func(path string) error {
		platform = append(platform, path)
		return nil
	})
	out := flags.String("out", "", "the file to write")
	showDiff := flags.Bool("diff", false, "tell what differs from the base, and write nothing")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *base == "" || flags.NArg() > 0 {
		flags.Usage()
		return fmt.Errorf("kong-render: -base is needed, and no other argument")
	}
	if len(platform) == 0 {
		platform = []string{"kong.platform.yml"}
	}
	options := render.Options{Base: *base, Platform: platform, Lookup: lookup}
	var err error
	if options.DashboardBasicAuth, err = boolean(lookup, "PLATFORM_DASHBOARD_BASIC_AUTH_ENABLED"); err != nil {
		return err
	}
	if options.SignIn, err = boolean(lookup, "PLATFORM_SIGN_IN_AT_BASE"); err != nil {
		return err
	}
	rendered, err := render.Render(options)
	if err != nil {
		return err
	}
	return write(rendered, *showDiff, *out, stdout)
}

func write(rendered *render.Rendered, showDiff bool, out string, stdout io.Writer) error {
	if showDiff {
		for _, line := range rendered.Changes {
			if _, err := fmt.Fprintln(stdout, line); err != nil {
				return err
			}
		}
		return nil
	}
	if out == "" {
		_, err := stdout.Write(rendered.YAML)
		return err
	}
	// It holds credentials: for Kong's own user alone.
	return os.WriteFile(out, rendered.YAML, 0o600)
}

func boolean(lookup render.Lookup, name string) (bool, error) {
	text, _ := lookup(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s must be true or false", name)
	}
	return value, nil
}
