package stack

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
)

// declaration is one service that a project can have.
type declaration struct {
	name  string
	port  uint16 // where it is asked
	needs []string
	// memory is what the service may use on the smallest size, in MiB, and share by how much of the database's memory that grows
	// at most: 8 is an eighth. Both are 0 for the database, which has all that the size says.
	memory, share int64
	describe      func(builder) (Service, error)
}

// catalog is every service, dependencies first. A service's place is its address: new ones come last.
var catalog = []declaration{
	{name: store.ServiceDatabase, port: postgresPort, describe: builder.database},
	{name: store.ServiceAuth, port: 9999, needs: database, memory: 256, share: 16, describe: builder.auth},
	{name: store.ServiceRest, port: 3000, needs: database, memory: 256, share: 8, describe: builder.rest},
	{name: store.ServiceRealtime, port: 4000, needs: database, memory: 512, share: 8, describe: builder.realtime},
	{name: store.ServiceStorage, port: 5000, needs: database, memory: 512, share: 8, describe: builder.storage},
	{name: store.ServiceImgproxy, port: imgproxyPort, memory: 512, share: 8, describe: builder.imgproxy},
	{name: store.ServiceFunctions, port: 9000, memory: 512, share: 4, describe: builder.functions},
	{name: store.ServicePooler, port: 6543, needs: database, memory: 512, share: 16, describe: builder.pooler},
	{name: store.ServiceAnalytics, port: 4000, needs: database, memory: 1024, share: 8, describe: builder.analytics},
}

// database is what services need that keep something in it.
var database = []string{store.ServiceDatabase}

// service describes a service and adds what all of them have.
func (b builder) service(place int, declared declaration) (Service, error) {
	service, err := declared.describe(b)
	if err != nil {
		return Service{}, fmt.Errorf("the service %s: %w", declared.name, err)
	}
	service.Name, service.Port = declared.name, declared.port
	service.Container = Name(b.ref(), declared.name)
	service.Image = b.image(declared.name)
	service.Address = offset(b.wanted.Allotment.Subnet, firstService+uint32(place)) //nolint:gosec // the catalog is short
	service.Limits = declared.limits(b.size)
	for _, need := range declared.needs {
		if b.has(need) {
			service.DependsOn = append(service.DependsOn, need)
		}
	}
	if service.StopTimeout == 0 {
		service.StopTimeout = stopTimeout
	}
	service.MinimumAge = max(b.wanted.RestartedAt[""], b.wanted.RestartedAt[declared.name])
	service.Labels = b.labels(declared.name)
	service.Labels[LabelConfigHash] = b.configHash(service)
	service.Labels[LabelGeneration] = strconv.FormatInt(b.wanted.Project.Generation, 10)
	return service, nil
}

// stopTimeout is ample for a service that keeps nothing in memory that it would have to write.
const stopTimeout = 10 * time.Second

// image is what the project runs of a service.
func (b builder) image(service string) string {
	if image := b.wanted.Images[service]; image != "" {
		return image
	}
	return b.settings.Images[service]
}

// configHash is of all that a container cannot be given while it runs. Its limits it can.
func (b builder) configHash(s Service) string {
	env := s.Env
	if s.Name == store.ServiceDatabase {
		env = Env{} // it is read once, when the database is made: a new password is set inside, without a restart
	}
	return b.hash(s.Image, s.Entrypoint, s.Command, env.List(), s.Mounts, s.Address, s.Ports, s.Health, s.StopSignal, s.StopTimeout)
}

// healthy asks as upstream does, every second until the service is well and every ten seconds from then on.
func healthy(command ...string) Health {
	return Health{
		Command: command, Interval: 10 * time.Second, Timeout: 5 * time.Second, Retries: 3,
		StartPeriod: 2 * time.Minute, StartInterval: time.Second,
	}
}

// answers asks a URL inside the container with the program that its image has.
func answersWget(url string) Health {
	return healthy("wget", "--no-verbose", "--tries=1", "--spider", url)
}

func answersCurl(url string, options ...string) Health {
	return healthy(slices.Concat([]string{"curl", "-sSfL", "--head", "-o", "/dev/null"}, options, []string{url})...)
}

// databaseURL is how a service signs in to the project's database. The password is escaped beyond what a URL needs: not every
// client reads `+` as it stands.
func (b builder) databaseURL(scheme, role, name string) string {
	password := strings.ReplaceAll(url.QueryEscape(b.wanted.Secrets[store.SecretDatabasePassword]), "+", "%20")
	return fmt.Sprintf("%s://%s:%s@%s:%d/%s", scheme, role, password, store.ServiceDatabase, postgresPort, name)
}

// secret is one of the project's secrets.
func (b builder) secret(name string) string { return b.wanted.Secrets[name] }
