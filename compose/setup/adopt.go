package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

// adoptSettings are the environment of `setup adopt`. The names without PLURABASE_ are those of the installation's own .env.
type adoptSettings struct {
	store.Settings
	Name         string        `env:"PLURABASE_ADOPT_NAME,notEmpty" envDefault:"Default Project"`
	Organization store.Slug    `env:"PLURABASE_ADOPT_ORGANIZATION"` // its slug; the oldest where it is empty
	Services     adoptServices `env:"PLURABASE_ADOPT_SERVICES"`
	DatabaseHost string        `env:"POSTGRES_HOST,notEmpty" envDefault:"db"`
	DatabasePort uint16        `env:"POSTGRES_PORT" envDefault:"5432"`
	Password     string        `env:"POSTGRES_PASSWORD,required,notEmpty"`
	JWTSecret    string        `env:"JWT_SECRET,required,notEmpty"`
	AnonKey      string        `env:"ANON_KEY,required,notEmpty"`
	ServiceKey   string        `env:"SERVICE_ROLE_KEY,required,notEmpty"`
}

const (
	adoptTimeout = time.Minute
	// answerTimeout is how long a service may take to accept a connection before it counts as left out.
	answerTimeout = 5 * time.Second
)

// adoptServices are where an installation's services are, by their names: `auth=auth:9999`, separated by commas.
type adoptServices []store.ServiceState

// upstreamServices are where upstream's docker-compose.yml has them; Realtime finds its tenant by the first part of its host.
const upstreamServices = "auth=auth:9999,rest=rest:3000,realtime=realtime-dev.supabase-realtime:4000,storage=storage:5000," +
	"imgproxy=imgproxy:5001,functions=functions:9000"

// UnmarshalText reads them.
func (a *adoptServices) UnmarshalText(text []byte) error {
	for entry := range strings.SplitSeq(string(text), ",") {
		name, address, _ := strings.Cut(strings.TrimSpace(entry), "=")
		host, port, err := net.SplitHostPort(address)
		number, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || errPort != nil || host == "" || !slices.Contains(store.AllServices, name) || name == store.ServiceDatabase {
			return fmt.Errorf("%q has to be of the form auth=auth:9999, with one of the services of a project", entry)
		}
		*a = append(*a, store.ServiceState{Service: name, Host: host, Port: int32(number)})
	}
	return nil
}

// adopt takes the installation in, or brings what is known of it up to date. again takes in once more what was detached.
func (s adoptSettings) adopt(ctx context.Context, again bool, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	opened, err := store.Open(ctx, s.Settings)
	if err != nil {
		return err
	}
	defer opened.Close()
	organization, owner, err := opened.OldestOrganization(ctx, s.Organization)
	if errors.Is(err, store.ErrNotFound) {
		_, _ = fmt.Fprintln(out, "There is no organization yet to adopt the installation for: make one in Studio, and start this again.")
		return nil
	}
	if err != nil {
		return err
	}
	installation, err := s.look(ctx)
	if err != nil {
		return err
	}
	installation.OrganizationID = organization
	project, err := opened.Adopt(ctx, store.Actor{ProfileID: owner, RequestID: uuid.NewString()}, installation, again)
	if errors.Is(err, store.ErrAdoptedBefore) {
		_, _ = fmt.Fprintln(out, "The installation was adopted before, and detached since: it is left alone. `setup adopt -again` takes it in once more.")
		return nil
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "The installation at %s:%d is the project %s (%q), with %s.\n",
		s.DatabaseHost, s.DatabasePort, project.Ref, project.Name, strings.Join(project.Services, ", "))
	return nil
}

// look finds out what the installation has. It reads, and no more.
func (s adoptSettings) look(ctx context.Context) (store.Installation, error) {
	version, err := store.InstallationVersion(ctx, s.DatabaseHost, s.DatabasePort, s.Password)
	if err != nil {
		return store.Installation{}, err
	}
	wanted := s.Services
	if len(wanted) == 0 {
		if err := wanted.UnmarshalText([]byte(upstreamServices)); err != nil {
			return store.Installation{}, err
		}
	}
	found := []store.ServiceState{{Service: store.ServiceDatabase, Host: s.DatabaseHost, Port: int32(s.DatabasePort), Healthy: true}}
	for _, service := range wanted {
		if service.Healthy = answers(ctx, service); service.Healthy {
			found = append(found, service)
		}
	}
	return store.Installation{
		Name: s.Name, DatabaseHost: s.DatabaseHost, DatabasePort: s.DatabasePort, DBVersion: version, Services: found,
		Secrets: store.Secrets{
			store.SecretDatabasePassword: s.Password, store.SecretJWT: s.JWTSecret,
			store.SecretAnonKey: s.AnonKey, store.SecretServiceKey: s.ServiceKey,
		},
	}, nil
}

// answers tells whether a service accepts a connection. One that does not is none of the installation's.
func answers(ctx context.Context, service store.ServiceState) bool {
	connection, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "tcp", net.JoinHostPort(service.Host, strconv.Itoa(int(service.Port))))
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
