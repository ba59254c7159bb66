// Command project-gateway is the Kong plugin in front of the projects, on <ref>.<domain> and /p/<ref>. It finds the project,
// checks the caller's address and API key, says to which of the project's containers the request goes, or that it goes to
// postgres-meta, and lets Kong proxy. Who guesses at secret keys it has banned. Beside that it is the one Postgres port for every
// project, where the operator wants that.
//
// Kong runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/plugins/internal/gateway"
	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
	"github.com/plurabase/plurabase/store"
)

// settings are the plugin's environment variables.
type settings struct {
	store.Settings
	ProjectDomain string `env:"PLURABASE_PROJECT_DOMAIN,required,notEmpty"`
	PublicURL     string `env:"PLURABASE_PUBLIC_URL,required,notEmpty"`
	EdgeLog       int    `env:"PLURABASE_EDGE_LOG" envDefault:"200"`
	Bans          banSettings
	Meta          metaSettings
	Postgres      postgresSettings
}

// Check names the settings that are wrong.
func (s settings) Check() error {
	var edgeLog error
	if s.EdgeLog < 0 {
		edgeLog = errors.New("PLURABASE_EDGE_LOG has to be a number of requests, or 0 to keep no log of them")
	}
	return errors.Join(s.checkDomain(), edgeLog, s.Bans.check(), s.Meta.check(), s.Postgres.check())
}

// checkDomain refuses a domain under which the platform itself is: Kong would take its host for a project's.
func (s settings) checkDomain() error {
	public, err := url.Parse(s.PublicURL)
	if err != nil {
		return errors.New("PLURABASE_PUBLIC_URL is not a URL")
	}
	domain, _, err := net.SplitHostPort(s.ProjectDomain)
	if err != nil {
		domain = s.ProjectDomain
	}
	if strings.HasSuffix(strings.ToLower(public.Hostname()), "."+strings.ToLower(domain)) {
		return fmt.Errorf("PLURABASE_PROJECT_DOMAIN: the platform's own host %s would be taken for that of a project. "+
			"Give the projects a domain that the platform is not under", public.Hostname())
	}
	return nil
}

// Prepared once a process: Kong drops a plugin's instances whenever it likes, and what they hold with them.
var (
	log      = gateway.NewLog()
	projects *dataplane.Gateway
	running  sync.WaitGroup
	last     func() // writes down what connections to databases sent while they were let finish
)

// Config is what `config:` of the plugin in kong.platform.yml holds.
type Config gateway.Config

// Access lets the request through to its project, or answers in the project's place.
func (c *Config) Access(kong *pdk.PDK) { gateway.Route(kong, gateway.Config(*c), log, projects) }

func main() {
	gateway.Main(func() any { return &Config{} }, prepare)
	running.Wait() // for what was counted to be written down
	if last != nil {
		last()
	}
}

func prepare(ctx context.Context) error {
	s, err := gateway.Settings[settings]()
	if err != nil {
		return err
	}
	opened, err := gateway.OpenStore(ctx, s.Settings)
	if err != nil {
		return err
	}
	requests, err := gateway.ListenForAccessLog()
	if err != nil {
		return err
	}
	table := dataplane.NewTable(opened, s.EdgeLog, log)
	projects = dataplane.New(table, dataplane.Settings{Domain: s.ProjectDomain, Bans: s.Bans.rules(), Meta: s.Meta.meta()}, time.Now, log)
	running.Go(func() { table.Run(ctx) })
	running.Go(func() { table.WriteDown(ctx, time.Now) })
	running.Go(func() { projects.FollowAccessLog(ctx, requests) })
	running.Go(func() { projects.WriteBans(ctx) })
	if s.Postgres.Listen != "" {
		proxy := pgproxy.New(projects, s.Postgres.proxy(), log)
		running.Go(func() { proxy.Run(ctx, s.Postgres.Listen) })
		last = func() { table.WriteDown(ctx, time.Now) }
	}
	// Until this returns, the process before this one goes on to serve. Without Postgres this one says that it is starting.
	table.Wait(ctx, 5*time.Second)
	return nil
}
