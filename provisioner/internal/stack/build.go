package stack

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/store"
)

// DatabaseService is the name of the service that every other one needs.
const DatabaseService = "db"

// postgresPort is Postgres' own, inside the container.
const postgresPort = 5432

// AddressMode is how postgres-meta reaches a project's database.
type AddressMode string

// The address modes.
const (
	AddressHost    AddressMode = "host"    // at its published port on 127.0.0.1
	AddressNetwork AddressMode = "network" // at its container's name, from inside the project's network
)

// Settings are what the operator decides for all projects of a target.
type Settings struct {
	PostgresImage string
	Address       AddressMode
	Bind          netip.Addr // the host's address on which ports are published
	Shared        []string   // with AddressNetwork: the containers that join every project's network
}

// Allotment is what the target handed out to the project.
type Allotment struct {
	Subnet       netip.Prefix
	DatabasePort uint16
}

// Wanted is the row of the project, and what goes with it.
type Wanted struct {
	Project     store.Project
	RestartedAt map[string]int64 // the generation of each service's last restart, under "" that of all of them
	Secrets     store.Secrets
	Allotment   Allotment
}

// Build returns the stack that the project should have. Secrets and Allotment are needed only for an active project.
func Build(wanted Wanted, settings Settings) (Stack, error) {
	project := wanted.Project
	stack := Stack{Target: project.Target, Ref: string(project.Ref), Removed: project.Desired == store.DesiredRemoved}
	if project.Desired != store.DesiredActive {
		return stack, nil
	}
	stack.Shared = settings.Others()
	limits, err := databaseLimits(project.ComputeSize)
	if err != nil {
		return Stack{}, err
	}
	b := builder{wanted: wanted, settings: settings}
	stack.Network = b.network()
	database := b.database(limits)
	stack.Services = []Service{database}
	for _, mount := range database.Mounts {
		stack.Volumes = append(stack.Volumes, Volume{Name: mount.Volume, Labels: b.labels(DatabaseService)})
	}
	stack.Database = b.databaseSetup()
	return stack, nil
}

type builder struct {
	wanted   Wanted
	settings Settings
}

func (b builder) ref() string { return string(b.wanted.Project.Ref) }

func (b builder) network() *Network {
	network := Network{Name: Prefix(b.ref()), Subnet: b.wanted.Allotment.Subnet, Labels: b.labels("")}
	network.Labels[LabelConfigHash] = b.hash(network.Name, network.Subnet)
	return &network
}

// database follows upstream's docker-compose.yml and the supabase CLI (internal/db/start/start.go). JWT_SECRET is left
// out on purpose: it would only feed the setting `app.settings.jwt_secret`, which every database role can read, and
// whoever has it can sign himself a service key.
func (b builder) database(limits Limits) Service {
	service := Service{
		Name:      DatabaseService,
		Container: Name(b.ref(), DatabaseService),
		Image:     b.settings.PostgresImage,
		Env: Env{
			"POSTGRES_HOST":     "/var/run/postgresql",
			"POSTGRES_PASSWORD": b.wanted.Secrets[store.SecretDatabasePassword],
		},
		Mounts: []Mount{
			{Volume: Name(b.ref(), DatabaseService), Path: "/var/lib/postgresql/data"},
			// The root key of Vault lies here: without it, what a user keeps in Vault is lost.
			{Volume: Name(b.ref(), DatabaseService, "config"), Path: "/etc/postgresql-custom"},
		},
		Ports: []Port{{Container: postgresPort, Host: netip.AddrPortFrom(b.settings.Bind, b.wanted.Allotment.DatabasePort)}},
		// Over TCP: while the image sets a new database up, its Postgres listens on a Unix socket alone.
		Health: Health{
			Command:  []string{"pg_isready", "-U", "postgres", "-h", "127.0.0.1", "-p", strconv.Itoa(postgresPort)},
			Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 3,
			StartPeriod: 2 * time.Minute, StartInterval: time.Second,
		},
		Limits:      limits,
		StopSignal:  "SIGINT", // Postgres' fast shutdown: SIGTERM would wait until every client has gone
		StopTimeout: time.Minute,
		MinimumAge:  max(b.wanted.RestartedAt[""], b.wanted.RestartedAt[DatabaseService]),
	}
	service.Labels = b.labels(DatabaseService)
	service.Labels[LabelConfigHash] = b.hash(service.Image, service.Env.List(), service.Mounts, service.Ports,
		service.Health, service.Limits, service.StopSignal, service.StopTimeout)
	service.Labels[LabelGeneration] = strconv.FormatInt(b.wanted.Project.Generation, 10)
	return service
}

func (b builder) labels(service string) map[string]string {
	labels := Labels(b.wanted.Project.Target, b.ref())
	if service != "" {
		labels[LabelService] = service
	}
	return labels
}

// Labels returns the two labels by which everything of a project is found.
func Labels(target, ref string) map[string]string {
	return map[string]string{LabelTarget: target, LabelProject: ref}
}

// hash tells whether a configuration has changed without telling anything of it: it is keyed with the project's JWT
// secret, which is random and long where a user's own password may be short.
func (b builder) hash(parts ...any) string {
	return keyedHash(b.wanted.Secrets[store.SecretJWT], parts...)
}

// Others returns the containers that join the network of every project.
func (s Settings) Others() []string {
	if s.Address == AddressNetwork {
		return s.Shared
	}
	return nil
}

// ContainerNames returns the names of the containers that an active project has.
func ContainerNames(ref string) []string { return []string{Name(ref, DatabaseService)} }

// DatabaseAddress returns where postgres-meta reaches the project's database.
func (s Settings) DatabaseAddress(ref string, allotment Allotment) (host string, port uint16) {
	if s.Address == AddressNetwork {
		return Name(ref, DatabaseService), postgresPort
	}
	return "127.0.0.1", allotment.DatabasePort
}
