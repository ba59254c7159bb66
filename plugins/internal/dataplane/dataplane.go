// Package dataplane decides where a request to a project goes: whose host or path it names, which of the project's services is
// meant, whether the caller's address and API key are let in, and what that service is to be sent. It knows nothing of Kong.
//
// Every project is held in memory (table.go), so that no query is on a request's way. What changes is announced by Postgres and taken
// up at once. While Postgres cannot be reached, projects go on being served as they were last known: an outage of the
// platform's own database is none of the projects'.
package dataplane

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
)

// PathPrefix is what the path form of a project's URL begins with, on the API's own origin: `/p/<ref>/rest/v1/…`.
const PathPrefix = "/p/"

// Gateway decides where requests to projects go. It is safe for concurrent use.
type Gateway struct {
	table   *Table
	domain  string // `.localhost`
	guesses *guesses
	meta    PostgresMeta
	now     func() time.Time
	log     *slog.Logger
}

// Settings are an operator's.
type Settings struct {
	Domain string // what follows `<ref>.` in a project's host. A port behind it says nothing here
	Bans   BanRules
	Meta   PostgresMeta
}

// New returns a Gateway for the projects of a table.
func New(table *Table, settings Settings, now func() time.Time, log *slog.Logger) *Gateway {
	host, _ := hostname(settings.Domain)
	return &Gateway{table: table, domain: "." + host, guesses: newGuesses(settings.Bans), meta: settings.Meta, now: now, log: log}
}

// Request is what has to be known of a request.
type Request struct {
	Target        string // path and query as they were sent
	Host          string // the header
	Client        netip.Addr
	APIKey        string // the header `apikey`
	Authorization string
	UserAgent     string
}

// Upstream is where a request goes, and what is sent in place of what came.
type Upstream struct {
	Target string // `host:port`
	Path   string
	// Headers replace the request's own. One without a value is taken away. Names are in lower case.
	Headers map[string]string
}

// Route says where a request goes, or why it is answered in the project's place. Nothing of the request is put into an
// address: that is the project's own container, or the platform's postgres-meta, whatever was sent.
func (g *Gateway) Route(r Request) (Upstream, *Refusal) {
	if !g.table.ready.Load() {
		return Upstream{}, comingUp("The platform is starting.", briefly)
	}
	path, query, ok := split(r.Target)
	if !ok {
		return Upstream{}, badPath
	}
	p, path, ok := g.find(r.Host, path)
	if !ok {
		return Upstream{}, noProject
	}
	if refusal := p.admit(r.Client, g.now); refusal != nil {
		return Upstream{}, refusal
	}
	if within, ok := cut(path, "/pg"); ok {
		return g.routeToDatabase(p, within, r)
	}
	way, refusal := wayOf(path)
	if refusal != nil {
		return Upstream{}, refusal
	}
	if refusal := p.serves(way.service); refusal != nil {
		return Upstream{}, refusal
	}
	headers, refusal := g.headers(p, way, r, query)
	if refusal != nil {
		return Upstream{}, refusal
	}
	p.counts[way.service].requests.Add(1)
	return Upstream{Target: p.addresses[way.service], Path: way.path, Headers: headers}, nil
}

// find finds the project that a host or a path names, and the path within the project.
func (g *Gateway) find(host, path string) (*project, string, bool) {
	name, ok := hostname(host)
	if !ok {
		return nil, "", false
	}
	if label, under := strings.CutSuffix(name, g.domain); under {
		p, ok := g.table.byLabel(label)
		return p, path, ok
	}
	if p, ok := g.table.byHostname(name); ok {
		return p, path, true
	}
	rest, ok := cut(path, PathPrefix[:len(PathPrefix)-1])
	if !ok {
		return nil, "", false
	}
	ref, rest, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	p, ok := g.table.byRef(store.Ref(ref))
	return p, "/" + rest, ok
}

// hostname is a host in lower case, without its port and the dot of a name that is written out to the root. What has
// anything in it but letters, digits, hyphens and dots is none of ours.
func hostname(host string) (string, bool) {
	name, port, found := strings.Cut(host, ":")
	if found && (port == "" || strings.Trim(port, "0123456789") != "") {
		return "", false
	}
	name = strings.TrimSuffix(name, ".")
	plain := name != ""
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			return hostname(strings.ToLower(name))
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.':
		default:
			plain = false
		}
	}
	return name, plain
}
