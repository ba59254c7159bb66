package dataplane

import (
	"net/netip"

	"github.com/plurabase/plurabase/store"
)

// index finds projects by all that they are asked for by.
type index struct {
	projects  map[int64]*project
	refs      map[store.Ref]*project
	aliases   map[string]*project // by what they are called under the domain, besides the ref
	hostnames map[string]*project
	targets   map[netip.AddrPort]target
}

// target is what is at an address.
type target struct {
	project *project
	service service
}

func newIndex(size int) *index {
	return &index{
		projects: make(map[int64]*project, size), refs: make(map[store.Ref]*project, size),
		aliases: map[string]*project{}, hostnames: map[string]*project{},
		targets: make(map[netip.AddrPort]target, size*int(serviceCount)),
	}
}

func (i *index) add(p *project) {
	i.projects[p.ID], i.refs[p.Ref] = p, p
	if p.Subdomain != "" {
		i.aliases[p.Subdomain] = p
	}
	if p.Hostname != "" {
		i.hostnames[p.Hostname] = p
	}
	for s, address := range p.targets {
		if address.IsValid() {
			i.targets[address] = target{p, service(s)}
		}
	}
}

// remove takes a project out. A name that another has taken over in the meantime stays that one's.
func (i *index) remove(p *project) {
	if p == nil {
		return
	}
	removeOf(i.projects, p.ID, p)
	removeOf(i.refs, p.Ref, p)
	removeOf(i.aliases, p.Subdomain, p)
	removeOf(i.hostnames, p.Hostname, p)
	for _, address := range p.targets {
		if i.targets[address].project == p {
			delete(i.targets, address)
		}
	}
}

func removeOf[K comparable](names map[K]*project, name K, p *project) {
	if names[name] == p {
		delete(names, name)
	}
}
