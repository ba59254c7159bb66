package dataplane

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// Naming is how a connection to a database says which project it is for. Whatever names one has to name the same.
type Naming struct {
	Host string      // the server name of TLS; empty: none was sent
	Refs []store.Ref // what stood in the startup message, as it was sent
}

// Database is where connections to a project's database go.
type Database struct {
	Ref     store.Ref
	Address netip.AddrPort
	// SSLEnforced: the project wants no connection in plain text.
	SSLEnforced bool
	counts      *counts
}

// Sent counts bytes that were sent to a client, as the project's.
func (d Database) Sent(bytes int) {
	if d.counts != nil {
		d.counts[database].egress.Add(int64(bytes))
	}
}

// databasePrefix is what a host that is for the database begins with: db.<ref>.<domain>, as upstream has it.
const databasePrefix = "db."

var (
	unnamed     = &Refusal{Status: http.StatusNotFound, Message: "The connection does not say which project it is for.", Code: "project_not_named"}
	contradicts = &Refusal{Status: http.StatusBadRequest, Message: "The connection names two projects that are not the same.", Code: "project_ambiguous"}
	elsewhere   = &Refusal{
		Status: http.StatusNotFound, Message: "This project's database is not reached through the gateway.", Code: "database_not_found",
	}
)

// Database says where a client's connection to a project's database goes, or why it goes nowhere. Nothing of what was sent is put into an
// address: that is the project's own database.
func (g *Gateway) Database(named Naming, client netip.Addr) (Database, *Refusal) {
	if !g.table.ready.Load() {
		return Database{}, comingUp("The platform is starting.", briefly)
	}
	p, refusal := g.named(named)
	if refusal != nil {
		return Database{}, refusal
	}
	if refusal := p.admit(client, g.now); refusal != nil {
		return Database{}, refusal
	}
	if p.state != nil {
		return Database{}, p.state
	}
	if !p.targets[database].IsValid() { // as that of an installation that was adopted
		return Database{}, elsewhere
	}
	return Database{Ref: p.Ref, Address: p.targets[database], SSLEnforced: p.SSLEnforced, counts: p.counts}, nil
}

func (g *Gateway) named(named Naming) (*project, *Refusal) {
	found, refusal := g.ofServerName(named.Host)
	if refusal != nil {
		return nil, refusal
	}
	for _, ref := range named.Refs {
		p, ok := g.table.byRef(ref)
		if !ok {
			return nil, noProject
		}
		if found != nil && found.ID != p.ID {
			return nil, contradicts
		}
		found = p
	}
	if found == nil {
		return nil, unnamed
	}
	return found, nil
}

// ofServerName finds the project of a host. A host that is none of a project's, as the gateway's own, names nobody.
func (g *Gateway) ofServerName(host string) (*project, *Refusal) {
	name, ok := hostname(host)
	if !ok {
		return nil, nil
	}
	label, under := strings.CutSuffix(name, g.domain)
	if !under {
		p, _ := g.table.byHostname(name)
		return p, nil
	}
	label, forDatabase := strings.CutPrefix(label, databasePrefix)
	p, ok := g.table.byLabel(label)
	if !ok && forDatabase {
		return nil, noProject
	}
	return p, nil
}
