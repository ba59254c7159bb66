package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/telemetry"
)

// settings come from the environment.
type settings struct {
	store.Settings

	Target           string            `env:"PLURABASE_TARGET,notEmpty" envDefault:"local"`
	Images           map[string]string `env:"-"` // by service: images.Of
	Docker           map[string]string `env:"-"` // where it is, in the environment: docker.NewClient
	Services         []string          `env:"PLURABASE_SERVICES"`
	PublicURL        string            `env:"PLURABASE_PUBLIC_URL" envDefault:"http://localhost:8000"`
	ProjectDomain    string            `env:"PLURABASE_PROJECT_DOMAIN" envDefault:"localhost:8000"`
	GatewayURL       string            `env:"PLURABASE_GATEWAY_URL"`
	Mail             mailSettings
	SubnetPool       netip.Prefix      `env:"PLURABASE_SUBNET_POOL" envDefault:"10.213.0.0/16"`
	SubnetBits       int               `env:"PLURABASE_SUBNET_BITS" envDefault:"27"`
	PortRange        portRange         `env:"PLURABASE_PORT_RANGE" envDefault:"25000-29999"`
	PortBind         netip.Addr        `env:"PLURABASE_PORT_BIND" envDefault:"127.0.0.1"`
	DBAddress        stack.AddressMode `env:"PLURABASE_DB_ADDRESS" envDefault:"host"`
	SharedContainers []string          `env:"PLURABASE_SHARED_CONTAINERS"`
	Workers          int               `env:"PLURABASE_WORKERS" envDefault:"8"`
	Lease            time.Duration     `env:"PLURABASE_LEASE" envDefault:"10s"`
	Resync           time.Duration     `env:"PLURABASE_RESYNC" envDefault:"5s"`
	Deadline         time.Duration     `env:"PLURABASE_OPERATION_DEADLINE" envDefault:"10m"`
	RemoveOrphans    time.Duration     `env:"PLURABASE_REMOVE_ORPHANS" envDefault:"0s"`
	MeasureEvery     time.Duration     `env:"PLURABASE_MEASURE_EVERY" envDefault:"15m"`
	LogLevel         slog.Level        `env:"PLURABASE_LOG_LEVEL" envDefault:"info"`
	LogFormat        string            `env:"PLURABASE_LOG_FORMAT" envDefault:"json"`
	Watched          telemetry.Settings
	Backups          backupSettings
	Fail             execute.Failures `env:"PLURABASE_FAIL"`
	Crash            execute.Crash    `env:"PLURABASE_CRASH"`
}

// mailSettings are the platform's own (plugins/internal/mail).
type mailSettings struct {
	Host     string `env:"PLURABASE_SMTP_HOST"`
	User     string `env:"PLURABASE_SMTP_USER"`
	Password string `env:"PLURABASE_SMTP_PASSWORD"`
	Sender   string `env:"PLURABASE_SMTP_SENDER"`
	Port     int    `env:"PLURABASE_SMTP_PORT" envDefault:"587"`
}

// imageUsage names the setting of each service's image.
func imageUsage() string {
	lines := make([]string, len(store.AllServices))
	for i, service := range store.AllServices {
		lines[i] = fmt.Sprintf("  %-28s  the image of %s (%s)", images.Variable(service), service, images.Default(service))
	}
	return strings.Join(lines, "\n")
}

// usage is what -h prints. It names every setting.
var usage = `The provisioner runs each project's stack on Docker, told what to do through Postgres. It takes its settings from
the environment:

  DATABASE_URL                  the platform's own Postgres (required)
  PLURABASE_MASTER_KEY          the key that seals the projects' secrets, 32 bytes in Base64 (required)
  PLURABASE_MASTER_KEY_PREVIOUS  while the master key is rotated: the other one, which is read with and never written with
  PLURABASE_TARGET              the deployment target that this provisioner works for (local)
  PLURABASE_SERVICES            what a new project has where nobody decides, separated by commas
                                (db,auth,rest,realtime,storage,imgproxy,functions; besides: pooler,analytics)
` + imageUsage() + `
  PLURABASE_PUBLIC_URL          the gateway's own URL (http://localhost:8000)
  PLURABASE_PROJECT_DOMAIN      what follows <ref>. in a project's own host (localhost:8000)
  PLURABASE_GATEWAY_URL         where the projects' functions reach the gateway, from inside their networks
                                (PLURABASE_PUBLIC_URL)
  PLURABASE_SMTP_HOST           the server for the mails of projects that have none of their own; without it, they
                                send none
  PLURABASE_SMTP_PORT           its port (587)
  PLURABASE_SMTP_USER           empty: no authentication
  PLURABASE_SMTP_PASSWORD       of that user
  PLURABASE_SMTP_SENDER         an address, or Name <address>
  PLURABASE_SUBNET_POOL         what the projects' networks are cut from (10.213.0.0/16)
  PLURABASE_SUBNET_BITS         the prefix length of one project's network; 27 leaves 14 addresses to the services and
                                16 to what joins them, the gateway for one (27)
  PLURABASE_PORT_RANGE          the host ports of the projects' databases (25000-29999: below 32768, where Linux
                                takes the ports of outgoing connections from)
  PLURABASE_PORT_BIND           the host's address on which those ports are opened (127.0.0.1)
  PLURABASE_DB_ADDRESS          how postgres-meta reaches a project's database: host, at its port on 127.0.0.1, or
                                network, at its own address on the project's network (host)
  PLURABASE_SHARED_CONTAINERS   with network: the containers that join every project's network, separated by commas,
                                as the gateway's and postgres-meta's
  PLURABASE_WORKERS             how many projects are worked on at once (8)
  PLURABASE_LEASE               how long a project is held when the provisioner dies (10s)
  PLURABASE_RESYNC              how often it looks by itself whether there is something to do (5s)
  PLURABASE_OPERATION_DEADLINE  after which an operation fails (10m)
  PLURABASE_REMOVE_ORPHANS      after which time the containers and networks of projects that Postgres does not know
                                are removed, as 24h; their volumes never are. 0s: nothing of them is (0s)
  PLURABASE_MEASURE_EVERY       how often it is measured what each project uses; 0: never (15m)
` + backupUsage + `  PLURABASE_LOG_LEVEL           debug, info, warn or error (info)
  PLURABASE_LOG_FORMAT          json or text (json)
  PLURABASE_METRICS_LISTEN      where /metrics, /health and /ready are answered: host:port, or a folder for the socket
                                provisioner.metrics; unset: nowhere
  PLURABASE_METRICS_TOKEN       the bearer token that /metrics is for; unset: for whoever reaches the address
  OTEL_EXPORTER_OTLP_ENDPOINT   where traces are sent, by OTLP over HTTP, with OpenTelemetry's other variables; unset: none
  PLURABASE_FAIL                for tests alone: steps that fail on purpose, as create-container:db:2
  PLURABASE_CRASH               for tests alone: where it kills itself, as create/start-container:db: in that kind of
                                operation, when that step is done and before it is noted
  DOCKER_HOST                   where Docker is (unix:///var/run/docker.sock): unix://, tcp:// or ssh://user@host[:port][/socket]
  DOCKER_CERT_PATH              for tcp://: a folder with ca.pem, cert.pem and key.pem, for TLS
  PLURABASE_DOCKER_SSH_KEY      for ssh://: the file of a private key without a passphrase
  PLURABASE_DOCKER_SSH_KNOWN_HOSTS
                                for ssh://: the file with that host's key, as ssh-keyscan prints it

Flags:
  -h             print this
  -housekeeping  list what should not be there any more, and change nothing: containers, networks and volumes of projects
                 that Postgres does not know, scratch databases and folders of backups that nobody makes, backups that
                 are no longer kept, leases of provisioners that are gone
  -apply         with -housekeeping: remove it, but for volumes
  -ready         ask the provisioner that runs whether it can work, and fail where it cannot
  -version       print the version
`

// readSettings returns every missing and every wrong setting in one error.
func readSettings(environment map[string]string) (*settings, error) {
	parsed := &settings{}
	var problems []string
	var all env.AggregateError
	if err := env.ParseWithOptions(parsed, env.Options{Environment: environment}); errors.As(err, &all) {
		for _, one := range all.Errors {
			problems = append(problems, one.Error())
		}
	} else if err != nil {
		problems = append(problems, err.Error())
	}
	parsed.Images, parsed.Docker = images.Of(environment), environment
	if len(parsed.Services) == 0 {
		parsed.Services = store.DefaultServices
	}
	problems = append(problems, parsed.check()...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("the settings are not usable:\n  %s", strings.Join(problems, "\n  "))
	}
	return parsed, nil
}

// check says what is wrong with values that can be read.
func (s *settings) check() []string {
	var problems []string
	fail := func(wrong bool, problem string) {
		if wrong {
			problems = append(problems, problem)
		}
	}
	fail(s.Target == store.TargetAdopted, "PLURABASE_TARGET must not be adopted: those projects are installations of their own")
	fail(s.DBAddress != stack.AddressHost && s.DBAddress != stack.AddressNetwork, "PLURABASE_DB_ADDRESS must be host or network")
	fail(s.SubnetPool.IsValid() && !s.SubnetPool.Addr().Is4(), "PLURABASE_SUBNET_POOL must be an IPv4 prefix")
	fail(s.SubnetBits < s.SubnetPool.Bits() || s.SubnetBits > stack.MaxSubnetBits,
		fmt.Sprintf("PLURABASE_SUBNET_BITS must lie between the bits of PLURABASE_SUBNET_POOL and %d", stack.MaxSubnetBits))
	if err := store.CheckServices(s.Services); err != nil {
		problems = append(problems, "PLURABASE_SERVICES: "+err.Error())
	}
	fail(s.Workers < 1, "PLURABASE_WORKERS must be at least 1")
	fail(s.Lease < time.Second, "PLURABASE_LEASE must be at least 1s")
	fail(s.Resync < 100*time.Millisecond, "PLURABASE_RESYNC must be at least 100ms")
	fail(s.Deadline < time.Second, "PLURABASE_OPERATION_DEADLINE must be at least 1s")
	fail(s.MeasureEvery < 0 || s.MeasureEvery > 0 && s.MeasureEvery < time.Second, "PLURABASE_MEASURE_EVERY must be 0, or at least 1s")
	s.Backups.check(fail)
	fail(s.LogFormat != "json" && s.LogFormat != "text", "PLURABASE_LOG_FORMAT must be json or text")
	return problems
}

// portRange is `first-last`, both included.
type portRange store.PortRange

// UnmarshalText reads `25000-29999`.
func (r *portRange) UnmarshalText(text []byte) error {
	first, last, _ := strings.Cut(string(text), "-")
	from, errFirst := strconv.ParseUint(first, 10, 16)
	to, errLast := strconv.ParseUint(last, 10, 16)
	if errFirst != nil || errLast != nil || from < 1024 || to < from {
		return errors.New("must be first-last, as 25000-29999, and not below 1024")
	}
	r.First, r.Last = uint16(from), uint16(to)
	return nil
}
