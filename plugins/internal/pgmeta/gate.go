package pgmeta

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// PathPrefix is where the gateway serves postgres-meta; a project's ref follows.
const PathPrefix = "/api/platform/pg-meta/"

// endpoints are what Studio may ask of postgres-meta, and what each needs. Anything else is not passed on.
var endpoints = map[string]access.Permission{
	"GET column-privileges":  access.InProject(access.TenantSQLAdminRead, "column_privileges"),
	"GET extensions":         access.InProject(access.TenantSQLAdminRead, "extensions"),
	"GET foreign-tables":     access.InProject(access.TenantSQLAdminRead, "foreign_tables"),
	"GET materialized-views": access.InProject(access.TenantSQLAdminRead, "materialized_views"),
	"GET policies":           access.InProject(access.TenantSQLAdminRead, "policies"),
	"GET publications":       access.InProject(access.TenantSQLAdminRead, "publications"),
	"GET tables":             access.InProject(access.TenantSQLAdminRead, "tables"),
	"GET triggers":           access.InProject(access.TenantSQLAdminRead, "triggers"),
	"GET types":              access.InProject(access.TenantSQLAdminRead, "types"),
	"GET views":              access.InProject(access.TenantSQLAdminRead, "views"),
	"POST query":             access.InProject(access.TenantSQLQuery, "*"),
}

// Routes lists the endpoints, one a line: method, path, permission, kind, tab-separated.
func Routes() []string {
	var lines []string
	for _, endpoint := range slices.Sorted(maps.Keys(endpoints)) {
		method, name, _ := strings.Cut(endpoint, " ")
		lines = append(lines, method+"\t"+pattern+name+"\t"+endpoints[endpoint].String()+"\tproxied")
	}
	return lines
}

// Pattern is the line of Routes that a request takes, `POST /platform/pg-meta/{ref}/query`; empty where it takes none.
func Pattern(method, path string) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(path, PathPrefix), "/")
	if _, known := endpoints[method+" "+name]; !known {
		return ""
	}
	return method + " " + pattern + name
}

// pattern is what the endpoints have before their names.
const pattern = "/platform/pg-meta/{ref}/"

// Authenticator finds out who sends a request.
type Authenticator interface {
	Authenticate(ctx context.Context, authorization string) (identity.Caller, error)
}

// Projects is what the gate needs of the store.
type Projects interface {
	ProjectByRef(ctx context.Context, profileID int64, ref store.Ref) (store.ProjectAccess, error)
	ProjectSecrets(ctx context.Context, projectID int64, ref store.Ref, names ...string) (store.Secrets, error)
}

// Gate decides what reaches postgres-meta, and as whom.
type Gate struct {
	Authenticator Authenticator
	Projects      Projects
	Tokens        *Tokens
	CryptoKey     string // postgres-meta's own CRYPTO_KEY
}

// Request is what the gate looks at. The body never passes through it.
type Request struct {
	Method        string
	Path          string // decoded and clean, with PathPrefix
	Authorization string
	Token         string // the header x-connection-encrypted as Studio sends it
}

// Upstream is how the request goes on to postgres-meta.
type Upstream struct {
	Path       string
	Connection string // the header x-connection-encrypted as postgres-meta decrypts it
}

// Admit checks a request and returns where it goes on to. A *problem.Problem says why it does not. There is no other
// database to fall back to: a request goes to the project that it names, or nowhere.
func (g *Gate) Admit(ctx context.Context, r Request) (Upstream, error) {
	ref, endpoint, _ := strings.Cut(strings.TrimPrefix(r.Path, PathPrefix), "/")
	caller, err := g.Authenticator.Authenticate(ctx, r.Authorization)
	if err != nil {
		return Upstream{}, err
	}
	project, err := g.project(ctx, caller, ref)
	if err != nil {
		return Upstream{}, err
	}
	permission, known := endpoints[r.Method+" "+endpoint]
	if !known {
		return Upstream{}, problem.NotFound(fmt.Sprintf("There is no endpoint %s %s.", r.Method, strings.TrimPrefix(r.Path, "/api")))
	}
	if !permission.InScope(caller.Limits) {
		return Upstream{}, problem.OutOfScope(permission)
	}
	if !access.AllowsInProject(project, permission.Action(), permission.Resource()) {
		return Upstream{}, problem.Forbidden(permission)
	}
	mode, err := g.mode(project, r.Token)
	if err != nil {
		return Upstream{}, err
	}
	connection, err := g.connection(ctx, project.Project, mode)
	if err != nil {
		return Upstream{}, err
	}
	return Upstream{Path: "/" + endpoint, Connection: connection}, nil
}

func (g *Gate) project(ctx context.Context, caller identity.Caller, text string) (store.ProjectAccess, error) {
	ref, ok := store.ParseRef(text)
	if !ok {
		return store.ProjectAccess{}, problem.NotFound("Project not found")
	}
	project, err := g.Projects.ProjectByRef(ctx, caller.Profile.ID, ref)
	if err != nil {
		return store.ProjectAccess{}, problem.OrNotFound(err, "Project not found")
	}
	if !caller.Limits.ReachesProject(project.Project) {
		return store.ProjectAccess{}, problem.NotFound("Project not found")
	}
	if project.MFARequired && !access.HasSecondFactor(caller) {
		return store.ProjectAccess{}, problem.SecondFactorMissing()
	}
	return project, nil
}

// mode opens the token and checks it against what the caller's role may do now: a token that was copied from a
// colleague opens nothing that the caller has no right to.
func (g *Gate) mode(project store.ProjectAccess, token string) (Mode, error) {
	mode, err := g.Tokens.Open(token, project.Ref)
	if err != nil {
		return "", problem.New(http.StatusForbidden, "The connection to this project's database is not valid any more. Reload the page.")
	}
	if mode == ReadWrite && ModeOf(project) != ReadWrite {
		return "", problem.New(http.StatusForbidden, "Your role may only read this project's database. Reload the page.")
	}
	return mode, nil
}

// roles are the database roles that the modes stand for, and where their passwords are.
var roles = map[Mode]struct{ name, secret string }{
	ReadWrite: {projectdb.RoleOwner, store.SecretDatabasePassword},
	ReadOnly:  {projectdb.RoleReadOnly, store.SecretReadOnlyPassword},
}

func (g *Gate) connection(ctx context.Context, project store.Project, mode Mode) (string, error) {
	if !project.Running() || project.DBHost == nil || project.DBPort == nil {
		return "", problem.New(http.StatusConflict, fmt.Sprintf("The project's database is not running: the project is %s.", project.Status))
	}
	role := roles[mode]
	secrets, err := g.Projects.ProjectSecrets(ctx, project.ID, project.Ref, role.secret)
	if err != nil {
		return "", err
	}
	return Connection(rand.Reader, g.CryptoKey, projectdb.Address{
		Host: *project.DBHost, Port: uint16(*project.DBPort), Role: role.name, Password: secrets[role.secret], //nolint:gosec // a port, as the schema has it
	})
}
