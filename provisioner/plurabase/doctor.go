package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plurabase/plurabase/migrations"
	"github.com/plurabase/plurabase/provisioner/internal/engine/docker"
	"github.com/plurabase/plurabase/store"
)

// verdict is what a check found.
type verdict string

// The verdicts.
const (
	well    verdict = "ok"
	warning verdict = "warning" // it works, and should be looked at
	broken  verdict = "broken"
	unasked verdict = "skipped" // the settings of this process do not say where to look
)

// finding is the answer of one check.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"` // what the operator can do about it
}

// checkTimeout bounds each check, so that what hangs is told.
const checkTimeout = 5 * time.Second

func (t *tool) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs, Short: "Check everything that the platform needs, and say what to do",
		RunE: func(command *cobra.Command, _ []string) error { return t.doctor(command.Context()) },
	}
}

func (t *tool) doctor(ctx context.Context) error {
	checks := []struct {
		name string
		ask  func(context.Context) finding
	}{
		{"configuration", t.checkConfiguration},
		{"postgres", t.checkPostgres},
		{"migrations", t.checkMigrations},
		{"provisioners", t.checkTargets},
		{"docker", t.checkDocker},
		{"kong", t.checkKong},
		{"plugins", t.checkPlugins},
		{"dns", t.checkDNS},
		{"clocks", t.checkClocks},
	}
	findings := make([]finding, len(checks))
	sick := false
	for i, check := range checks {
		asked, cancel := context.WithTimeout(ctx, checkTimeout)
		findings[i] = check.ask(asked)
		cancel()
		findings[i].Check = check.name
		sick = sick || findings[i].Verdict == broken
	}
	err := t.print(findings, func(columns io.Writer) {
		for _, one := range findings {
			_, _ = fmt.Fprintf(columns, "%s\t%s\t%s\n", one.Verdict, one.Check, one.Found)
			if one.Do != "" {
				_, _ = fmt.Fprintf(columns, "\t\t→ %s\n", one.Do)
			}
		}
	})
	if err == nil && sick {
		return errFound
	}
	return err
}

func (t *tool) checkConfiguration(context.Context) finding {
	var problems []string
	for _, name := range []string{"DATABASE_URL", "PLURABASE_MASTER_KEY"} {
		if t.environment[name] == "" {
			problems = append(problems, name+" is not set")
		}
	}
	var key store.MasterKey
	if text := t.environment["PLURABASE_MASTER_KEY"]; text != "" && key.UnmarshalText([]byte(text)) != nil {
		problems = append(problems, "PLURABASE_MASTER_KEY is not 32 bytes in Base64")
	}
	if text := t.environment["PLURABASE_PUBLIC_URL"]; text != "" {
		if parsed, err := url.Parse(text); err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
			problems = append(problems, "PLURABASE_PUBLIC_URL is not an http or https address")
		}
	}
	if len(problems) > 0 {
		return finding{Verdict: broken, Found: strings.Join(problems, "; "), Do: "Complete .env: `make env` does it, and leaves what is there alone."}
	}
	return finding{Verdict: well, Found: "complete"}
}

func (t *tool) checkPostgres(ctx context.Context) finding {
	opened, err := t.open(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: err.Error(), Do: "See that Postgres runs, and that DATABASE_URL names it with the right password."}
	}
	defer opened.Close()
	foreign, err := opened.ForeignDataKeys(ctx)
	switch {
	case err != nil:
		return finding{Verdict: well, Found: "reached; it has no schema yet"}
	case foreign > 0:
		return finding{
			Verdict: warning, Found: fmt.Sprintf("reached; %d projects' secrets are under another master key", foreign),
			Do: "Set that key as PLURABASE_MASTER_KEY_PREVIOUS and run `plurabase admin rotate-master-key`.",
		}
	}
	return finding{Verdict: well, Found: "reached"}
}

func (t *tool) checkMigrations(ctx context.Context) finding {
	opened, err := t.open(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: "not known: Postgres did not say", Do: "See to Postgres first."}
	}
	defer opened.Close()
	newest := migrations.Newest()
	applied, err := opened.SchemaVersion(ctx)
	switch {
	case err != nil:
		return finding{Verdict: broken, Found: "the database has no schema of ours", Do: "Start the provisioner: it makes it."}
	case applied < newest:
		return finding{
			Verdict: broken, Found: fmt.Sprintf("the database has %d, this version needs %d", applied, newest),
			Do: "Start the provisioner of this version: it migrates.",
		}
	case applied > newest:
		return finding{
			Verdict: warning, Found: fmt.Sprintf("the database has %d, this version knows %d", applied, newest),
			Do: "Bring this process up to date: a newer one has migrated the database.",
		}
	}
	return finding{Verdict: well, Found: fmt.Sprintf("%d, the newest", applied)}
}

// heartbeatLimit is several times the interval in which a provisioner tells that it lives.
const heartbeatLimit = 30 * time.Second

func (t *tool) checkTargets(ctx context.Context) finding {
	opened, err := t.open(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: "not known: Postgres did not say", Do: "See to Postgres first."}
	}
	defer opened.Close()
	targets, err := opened.Targets(ctx)
	now, errNow := opened.DatabaseTime(ctx)
	if err := errors.Join(err, errNow); err != nil {
		return finding{Verdict: broken, Found: "not known: the database has no schema of ours", Do: "Start the provisioner: it makes it."}
	}
	if len(targets) == 0 {
		return finding{Verdict: broken, Found: "none has ever worked", Do: "Start the provisioner."}
	}
	var silent, names []string
	for _, one := range targets {
		names = append(names, one.Name)
		if since := now.Sub(one.HeartbeatAt); since > heartbeatLimit {
			silent = append(silent, fmt.Sprintf("%s (%s, silent for %s)", one.Name, one.Owner, since.Round(time.Second)))
		}
	}
	if len(silent) > 0 {
		return finding{Verdict: broken, Found: "silent: " + strings.Join(silent, ", "), Do: "Look at that provisioner's log, and start it again."}
	}
	for _, one := range targets {
		if len(one.Orphans) > 0 {
			return finding{
				Verdict: warning, Found: fmt.Sprintf("%s has %d things of projects that are not known", one.Name, len(one.Orphans)),
				Do: "List them with `provisioner -housekeeping`; they are never removed by themselves.",
			}
		}
	}
	return finding{Verdict: well, Found: strings.Join(names, ", ")}
}

func (t *tool) checkDocker(ctx context.Context) finding {
	const look = "See that Docker runs, and that this process may use it (DOCKER_HOST; the socket's group)."
	made, end, err := docker.NewClient(t.environment)
	if err != nil {
		return finding{Verdict: broken, Found: err.Error(), Do: look}
	}
	defer func() { _ = end() }()
	version, err := made.ServerVersion(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: err.Error(), Do: look}
	}
	return finding{Verdict: well, Found: fmt.Sprintf("Engine %s, API %s", version.Version, version.APIVersion)}
}

// kongSays is how Kong names itself in an answer: in Server where it answers by itself, in Via where an upstream does.
var kongSays = regexp.MustCompile(`kong/(\d+)\.(\d+)(\.\d+)*`)

func (t *tool) checkKong(ctx context.Context) finding {
	answer, problem := t.askGateway(ctx, "/")
	if answer == nil {
		return problem
	}
	named := kongSays.FindStringSubmatch(answer.Get("Server") + " " + answer.Get("Via"))
	if named == nil {
		return finding{
			Verdict: warning, Found: "what answers does not say that it is Kong",
			Do: "Ask Kong itself for its version (`kong version`): 3.8 or newer of 3.x is needed. A proxy in front of it may hide it.",
		}
	}
	major, _ := strconv.Atoi(named[1]) // digits
	minor, _ := strconv.Atoi(named[2])
	if major != 3 || minor < 8 {
		return finding{
			Verdict: broken, Found: named[0],
			Do: "Run Kong 3.8 or newer of 3.x: older ones let requests pass when a plugin has died.",
		}
	}
	return finding{Verdict: well, Found: named[0]}
}

// checkPlugins asks for what nobody gets without a token: only the plugin says so in these words.
func (t *tool) checkPlugins(ctx context.Context) finding {
	const look = "Look for the plugin in Kong's log: its socket is <prefix>/platform-api.socket, and its settings have to be in KONG_NGINX_MAIN_ENV."
	request, problem := t.gatewayRequest(ctx, "/api/platform/profile")
	if request == nil {
		return problem
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return unreachable(err)
	}
	if response.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), `"unauthorized"`) {
		return finding{Verdict: broken, Found: "platform-api did not answer: " + response.Status, Do: look}
	}
	return finding{Verdict: well, Found: "platform-api answers"}
}

func (t *tool) askGateway(ctx context.Context, path string) (http.Header, finding) {
	request, problem := t.gatewayRequest(ctx, path)
	if request == nil {
		return nil, problem
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, unreachable(err)
	}
	_ = response.Body.Close()
	return response.Header, finding{}
}

func (t *tool) gatewayRequest(ctx context.Context, path string) (*http.Request, finding) {
	gateway := strings.TrimSuffix(cmp.Or(t.environment["PLURABASE_GATEWAY_URL"], t.environment["PLURABASE_PUBLIC_URL"]), "/")
	if gateway == "" {
		return nil, finding{
			Verdict: unasked, Found: "PLURABASE_PUBLIC_URL is not set here",
			Do: "Set it, or PLURABASE_GATEWAY_URL where the gateway has another address from here.",
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+path, http.NoBody)
	if err != nil {
		return nil, finding{Verdict: broken, Found: "the gateway's address is not one", Do: "Correct PLURABASE_PUBLIC_URL."}
	}
	return request, finding{}
}

func unreachable(err error) finding {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the URL
	}
	return finding{
		Verdict: broken, Found: "the gateway cannot be reached: " + err.Error(),
		Do: "See that Kong runs. Where its public address leads nowhere from here, set PLURABASE_GATEWAY_URL.",
	}
}

// checkDNS looks a project up that nobody has: only a wildcard has an address for it.
func (t *tool) checkDNS(ctx context.Context) finding {
	domain := t.environment["PLURABASE_PROJECT_DOMAIN"]
	if domain == "" {
		return finding{Verdict: unasked, Found: "PLURABASE_PROJECT_DOMAIN is not set here", Do: "Set it as it is set for the gateway."}
	}
	host := domain
	if name, _, err := net.SplitHostPort(domain); err == nil {
		host = name
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, strings.Repeat("a", 20)+"."+host)
	if err == nil {
		return finding{Verdict: well, Found: fmt.Sprintf("*.%s is %s", host, strings.Join(addresses, ", "))}
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return finding{
			Verdict: warning, Found: "*." + host + " has no address here",
			Do: "Browsers know it without DNS (RFC 6761). For other programs add it to the resolver, or use the path form /p/<ref>/….",
		}
	}
	return finding{
		Verdict: broken, Found: "*." + host + " has no address",
		Do: "Add a wildcard record for *." + host + " that leads to the gateway.",
	}
}

// clockLimit is what leases and tokens bear easily.
const clockLimit = 5 * time.Second

func (t *tool) checkClocks(ctx context.Context) finding {
	opened, err := t.open(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: "not known: Postgres did not say", Do: "See to Postgres first."}
	}
	defer opened.Close()
	asked := time.Now()
	theirs, err := opened.DatabaseTime(ctx)
	if err != nil {
		return finding{Verdict: broken, Found: "not known: Postgres did not say", Do: "See to Postgres first."}
	}
	ours := asked.Add(time.Since(asked) / 2)
	if apart := theirs.Sub(ours).Abs(); apart > clockLimit {
		return finding{
			Verdict: broken, Found: fmt.Sprintf("Postgres' clock and this one are %s apart", apart.Round(time.Second)),
			Do: "Have both machines take their time from NTP: tokens are refused, and leases run out, by a wrong clock.",
		}
	}
	return finding{Verdict: well, Found: fmt.Sprintf("%s apart", theirs.Sub(ours).Abs().Round(time.Millisecond))}
}
