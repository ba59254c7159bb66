package dataplane

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/store/projectdb"
)

// PostgresMeta is the platform's postgres-meta, which all projects share: it opens the database that a request's header names.
type PostgresMeta struct {
	// Target is where it is: an address, for Kong looks no name up here. nil: projects do not serve /pg.
	Target    func() (netip.AddrPort, error)
	CryptoKey string // its own CRYPTO_KEY
}

// ofDatabase are the endpoints of postgres-meta that say something of the database that it was given. Its others, such as /
// and /health, tell of the server that all projects share, and what a newer one adds is not let through unseen.
var ofDatabase = map[string]bool{
	"column-privileges": true, "columns": true, "config": true, "extensions": true, "foreign-tables": true, "functions": true,
	"generators": true, "indexes": true, "materialized-views": true, "policies": true, "publications": true, "query": true, "roles": true,
	"schemas": true, "table-privileges": true, "tables": true, "triggers": true, "types": true, "views": true,
}

// overridden are the headers that postgres-meta would take, or be told too much by. Whose database it opens, and as whom, nobody
// says but the gateway.
var overridden = []string{"pg", "x-pg-application-name", "x-supabase-info", "authorization", "apikey", "cookie"}

var (
	noPostgresMeta = notHere("This platform does not serve postgres-meta by a project's keys. Use its own API: /api/platform/pg-meta/{ref}.")
	notOfDatabase  = notHere("postgres-meta has nothing for a project at this path, such as /pg/tables or /pg/query.")
	notService     = &Refusal{
		Status: http.StatusForbidden, Message: "You cannot consume this service",
		Hint: "Only a secret API key of the role service_role, or the legacy service_role key, opens /pg.", Code: "forbidden",
	}
	noMeta     = comingUp("postgres-meta is not there now.", briefly)
	noDatabase = comingUp("The database of this project is not there yet.", briefly)
)

// routeToDatabase sends who has a secret key to the project's database, as its owner, through postgres-meta. It is no service of the
// project's own, so what is asked and sent here is counted for none.
func (g *Gateway) routeToDatabase(p *project, path string, r Request) (Upstream, *Refusal) {
	if g.meta.Target == nil {
		return Upstream{}, noPostgresMeta
	}
	if p.state != nil {
		return Upstream{}, p.state
	}
	path = single(path)
	if strings.Contains(path, "%") { // no name there needs it
		return Upstream{}, badPath
	}
	if name, _, _ := strings.Cut(path[1:], "/"); !ofDatabase[name] {
		return Upstream{}, notOfDatabase
	}
	if refusal := g.isService(p, r); refusal != nil {
		return Upstream{}, refusal
	}
	if p.DatabaseHost == "" {
		return Upstream{}, noDatabase
	}
	target, err := g.meta.Target()
	if err != nil {
		g.log.Error("postgres-meta is not found", "error", err.Error())
		return Upstream{}, noMeta
	}
	connection, err := g.connection(p)
	if err != nil {
		return Upstream{}, g.broken(p, err)
	}
	headers := map[string]string{"x-connection-encrypted": connection}
	for _, name := range overridden {
		headers[name] = ""
	}
	return Upstream{Target: target.String(), Path: path, Headers: headers}, nil
}

// isService refuses every key that does not stand for the role service_role, and those that Studio has for a while: who may
// use Studio asks by their own rights. A key in the URL is none: URLs are logged.
func (g *Gateway) isService(p *project, r Request) *Refusal {
	key := r.APIKey
	if bearer := bearerOf(r.Authorization); key == "" && strings.HasPrefix(bearer, opaquePrefix) {
		key = bearer
	}
	if key == "" {
		return noKey
	}
	token, refusal := g.open(p, key, r, false)
	if refusal != nil {
		return refusal
	}
	var claims keyClaims // of a token that was verified, or made here
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil || claims.Role != "service_role" || claims.Kind == KindTemporary {
		return notService
	}
	return nil
}

func (g *Gateway) connection(p *project) (string, error) {
	password, err := g.table.source.GatewayDatabasePassword(p.GatewayProject)
	if err != nil {
		return "", fmt.Errorf("open the database's password: %w", err)
	}
	return pgmeta.Connection(rand.Reader, g.meta.CryptoKey, projectdb.Address{
		Host: p.DatabaseHost, Port: p.DatabasePort, Role: projectdb.RoleOwner, Password: string(password),
	})
}
