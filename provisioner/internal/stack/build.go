package stack

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/plurabase/plurabase/store"
)

// DatabaseService is the name of the service that every other one needs.
const DatabaseService = store.ServiceDatabase

// AddressMode is how postgres-meta reaches a project's database.
type AddressMode string

// The address modes.
const (
	AddressHost    AddressMode = "host"    // at its published port on 127.0.0.1
	AddressNetwork AddressMode = "network" // at its own address, from inside the project's network
)

// Settings are what the operator decides for all projects of a target.
type Settings struct {
	Images  map[string]string // by service: what new projects get
	Address AddressMode
	Bind    netip.Addr // the host's address on which ports are published
	Shared  []string   // with AddressNetwork: the containers that join every project's network
	// PublicURL is the gateway's own URL; ProjectDomain is what follows `<ref>.` in a project's host.
	PublicURL, ProjectDomain string
	// GatewayURL is where a project's functions reach the gateway from inside the project's network; empty: PublicURL.
	GatewayURL string
	Mail       Mail
}

// Mail is the server that projects send their mails through which have none of their own.
type Mail struct {
	Host, User, Password, Sender string // no mail is sent without a host
	Port                         int
}

// Allotment is what the target handed out to the project.
type Allotment struct {
	Subnet       netip.Prefix
	DatabasePort uint16
}

// Wanted is the row of the project, and what goes with it.
type Wanted struct {
	Project     store.Project
	RestartedAt map[string]int64  // the generation of each service's last restart, under "" that of all of them
	Images      map[string]string // by service: what this project runs; Settings.Images where it says nothing
	Secrets     store.Secrets
	Config      map[store.ConfigSection]store.SectionConfig
	Allotment   Allotment
}

// Build returns the stack that the project should have. Everything besides Project is needed only for an active one.
func Build(wanted Wanted, settings Settings) (Stack, error) {
	project := wanted.Project
	stack := Stack{Target: project.Target, Ref: string(project.Ref), Removed: project.Desired == store.DesiredRemoved}
	if project.Desired != store.DesiredActive {
		return stack, nil
	}
	size, known := store.ComputeSizeNamed(project.ComputeSize)
	if !known {
		return Stack{}, fmt.Errorf("there is no compute size %q", project.ComputeSize)
	}
	b := builder{wanted: wanted, settings: settings, size: size}
	stack.Shared = settings.Others()
	stack.Network = b.network()
	stack.Database = b.databaseSetup()
	for place, one := range catalog {
		if !b.has(one.name) {
			continue
		}
		service, err := b.service(place, one)
		if err != nil {
			return Stack{}, err
		}
		stack.Services = append(stack.Services, service)
		stack.Volumes = b.addVolumes(stack.Volumes, service)
	}
	return stack, nil
}

type builder struct {
	wanted   Wanted
	settings Settings
	size     store.ComputeSize
}

func (b builder) ref() string { return string(b.wanted.Project.Ref) }

// has tells whether the project has a service.
func (b builder) has(service string) bool { return slices.Contains(b.wanted.Project.Services, service) }

func (b builder) network() *Network {
	subnet := b.wanted.Allotment.Subnet
	network := Network{
		Name: Prefix(b.ref()), Subnet: subnet, Gateway: subnet.Addr().Next(), Dynamic: upperHalf(subnet), Labels: b.labels(""),
	}
	network.Labels[LabelConfigHash] = b.hash(network.Name, network.Subnet, network.Gateway, network.Dynamic)
	return &network
}

// addVolumes adds those of a service that no other one mounts.
func (b builder) addVolumes(volumes []Volume, service Service) []Volume {
	for _, mount := range service.Mounts {
		if !slices.ContainsFunc(volumes, func(v Volume) bool { return v.Name == mount.Volume }) {
			volumes = append(volumes, Volume{Name: mount.Volume, Labels: b.labels(service.Name)})
		}
	}
	return volumes
}

func (b builder) labels(service string) map[string]string {
	labels := Labels(b.wanted.Project.Target, b.ref())
	if service != "" {
		labels[LabelService] = service
	}
	return labels
}

// hash tells whether a configuration has changed without telling anything of it: it is keyed with the project's seed,
// which is random and long where a user's own password may be short, and stays when any secret is changed.
func (b builder) hash(parts ...any) string {
	return keyedHash(b.wanted.Secrets[store.SecretSeed], parts...)
}

// Others returns the containers that join the network of every project.
func (s Settings) Others() []string {
	if s.Address == AddressNetwork {
		return s.Shared
	}
	return nil
}

// DatabaseAddress returns where postgres-meta reaches the project's database.
func (s Settings) DatabaseAddress(allotment Allotment) (host string, port uint16) {
	if s.Address == AddressNetwork {
		return ServiceAddress(allotment.Subnet, DatabaseService).String(), postgresPort
	}
	return "127.0.0.1", allotment.DatabasePort
}

// projectURL is where the world reaches the project.
func (b builder) projectURL() string {
	scheme := "http"
	if public, err := url.Parse(b.settings.PublicURL); err == nil && public.Scheme != "" {
		scheme = public.Scheme
	}
	return scheme + "://" + b.ref() + "." + b.settings.ProjectDomain
}
