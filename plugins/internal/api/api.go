// Package api answers Studio's platform API and the management API that the supabase CLI uses. Its handlers are plain
// net/http behind Go's ServeMux, and know nothing of Kong.
//
// Every route is declared once, with what it needs of its caller and its request and response types (route.go). From
// those declarations come the router, the validation, the OpenAPI document and the list of routes.
package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/plugins/internal/keysets"
	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/plugins/internal/services"
	"github.com/plurabase/plurabase/store"
)

// requestTimeout is the deadline of every request. Kong gives up on a plugin after 60 s; by then the client has an answer.
const requestTimeout = 30 * time.Second

// Settings are what an operator decides about the API.
type Settings struct {
	// PublicURL is where browsers and tools reach the gateway, without a path.
	PublicURL string
	// ProjectDomain is what follows `<ref>.` in a project's own host, with its port where that is not the scheme's.
	ProjectDomain string
	// DatabaseHost is where psql reaches the projects' published database ports.
	DatabaseHost string
	// Postgres is where psql reaches every project, on one port; the zero value where there is none.
	Postgres PostgresPort
	// PostgresPlainText is what that port makes of connections without TLS.
	PostgresPlainText PlainText
	// Target is the deployment target that new projects go to.
	Target string
	// SignUps says who may make an account at the platform's GoTrue by way of Studio.
	SignUps SignUps
	// Instance is what the operator says of the installation.
	Instance instance.Instance
}

// Dependencies are what the API works with.
type Dependencies struct {
	Settings      Settings
	Store         *store.Store
	Authenticator *identity.Authenticator
	// GoTrue is the platform's own; without it nobody can sign up or reset a password by way of Studio.
	GoTrue *gotrue.Client
	// Mail sends invitations; nil where the operator named no SMTP server.
	Mail *mail.Sender
	// Tokens seals the connection tokens that Studio holds instead of connection strings.
	Tokens *pgmeta.Tokens
	// PgMeta generates types; nil where the operator did not say where postgres-meta is.
	PgMeta *pgmeta.Client
	// CompareSchemas says how two databases differ.
	CompareSchemas func(context.Context, schemadiff.Request) (string, error)
	Log            *slog.Logger
	// LookupTXT asks the name servers for TXT records; the machine's own where nil.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// KeySets gets the public keys of others whose tokens a project shall take; keysets.New where nil.
	KeySets *keysets.Client
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// API is the http.Handler of all routes.
type API struct {
	settings      Settings
	store         *store.Store
	authenticator *identity.Authenticator
	gotrue        *gotrue.Client
	mail          *mail.Sender
	services      *services.Client
	tokens        *pgmeta.Tokens
	pgMeta        *pgmeta.Client
	log           *slog.Logger
	now           func() time.Time
	registrations *identity.Limit // of OAuth apps, by themselves
	feedback      *identity.Limit // of mails to the operator
	lookupTXT     func(ctx context.Context, name string) ([]string, error)
	keySets       *keysets.Client
	compare       func(context.Context, schemadiff.Request) (string, error)

	mux          *http.ServeMux
	routes       []route
	declarations []func(huma.API)
}

// New registers every route. It touches neither network nor database, so it also serves to list them.
func New(dependencies Dependencies) *API {
	a := &API{
		settings:      dependencies.Settings,
		store:         dependencies.Store,
		authenticator: dependencies.Authenticator,
		gotrue:        dependencies.GoTrue,
		mail:          dependencies.Mail,
		services:      services.New(),
		tokens:        dependencies.Tokens,
		pgMeta:        dependencies.PgMeta,
		log:           dependencies.Log,
		now:           dependencies.Now,
		lookupTXT:     dependencies.LookupTXT,
		keySets:       dependencies.KeySets,
		compare:       dependencies.CompareSchemas,
		mux:           http.NewServeMux(),
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.registrations = identity.NewLimit(a.now, registrationsPerSecond, registrationsAtOnce)
	a.feedback = identity.NewLimit(a.now, feedbackPerSecond, feedbackAtOnce)
	if a.lookupTXT == nil {
		a.lookupTXT = net.DefaultResolver.LookupTXT
	}
	if a.keySets == nil {
		a.keySets = keysets.New()
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem.NotFound(fmt.Sprintf("There is no endpoint %s %s.", r.Method, r.URL.Path)).Write(w)
	})
	a.registerAccessTokens()
	a.registerAPIKeys()
	a.registerAddons()
	a.registerAnalytics()
	a.registerFunctionStats()
	a.registerApps()
	a.registerAudit()
	a.registerAuthConfig()
	a.registerAuthSSO()
	a.registerAuthUsers()
	a.registerBackups()
	a.registerBilling()
	a.registerContent()
	a.registerDatabases()
	a.registerDataAPI()
	a.registerBranches()
	a.registerCLILogin()
	a.registerCustomContent()
	a.registerDocuments()
	a.registerEmail()
	a.registerEntitlements()
	a.registerFeedback()
	a.registerHealth()
	a.registerHostnames()
	a.registerIntegrations()
	a.registerFunctions()
	a.registerFunctionSecrets()
	a.registerInvitations()
	a.registerLints()
	a.registerLogs()
	a.registerMarketplace()
	a.registerMeasures()
	a.registerMembers()
	a.registerMFA()
	a.registerMigrations()
	a.registerNetwork()
	a.registerSSLEnforcement()
	a.registerNotifications()
	a.registerOAuthApps()
	a.registerOAuthAuthorize()
	a.registerOAuthToken()
	a.registerOrganizations()
	a.registerPooler()
	a.registerPostgresConfig()
	a.registerProfile()
	a.registerProjectAPI()
	a.registerProjectConfig()
	a.registerProjectDatabase()
	a.registerProjectDetails()
	a.registerProjectMissing()
	a.registerProjects()
	a.registerProjectSecrets()
	a.registerReplication()
	a.registerReadOnly()
	a.registerRegions()
	a.registerRestarts()
	a.registerRoles()
	a.registerRuns()
	a.registerScopedTokens()
	a.registerServiceConfig()
	a.registerServices()
	a.registerSnippets()
	a.registerSSO()
	a.registerStatus()
	a.registerStorage()
	a.registerTelemetry()
	a.registerManagement()
	a.registerSignUp()
	a.registerSigningKeys()
	a.registerThirdPartyAuth()
	a.registerTraffic()
	a.registerTransfer()
	a.registerTypes()
	a.registerWebhooks()
	a.registerUsage()
	a.registerUpgrades()
	return a
}

func humaConfig() huma.Config {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Plurabase",
				Version:     "1",
				Description: "The platform API of a self-hosted Supabase with many organizations and projects, as Studio and the official tools call it.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					bearer: {Type: "http", Scheme: "bearer", Description: "A session token of the platform's GoTrue, or a personal access token (`sbp_…`)."},
				},
			},
		},
		Formats: map[string]huma.Format{
			"application/json": huma.DefaultJSONFormat, "application/x-www-form-urlencoded": formFormat(),
			// The management client says so of some JSON: fetch's own default for a text. No cookie authorizes anything here, so that a
			// page of somebody else's gains nothing by a type that browsers send without asking first.
			"text/plain": huma.DefaultJSONFormat,
		},
		DefaultFormat: "application/json",
	}
	// Clients of other versions send fields that this one does not know: upstream ignores them, and so do we.
	config.AllowAdditionalPropertiesByDefault = true
	return config
}

// ServeHTTP answers one request, within its deadline. A panic is a 500 for this request alone.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, requestIDKey{}, requestIDOf(r))
	defer func() {
		if cause := recover(); cause != nil {
			a.log.ErrorContext(ctx, "panic", "request_id", requestID(ctx), "method", r.Method, "path", r.URL.Path,
				"cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			problem.Internal(requestID(ctx)).Write(w)
		}
	}()
	r = r.WithContext(ctx)
	defer tellRoute(w, r)
	a.mux.ServeHTTP(w, r)
}

// tellRoute tells whoever measures which route the request took, if it took any.
func tellRoute(w http.ResponseWriter, r *http.Request) {
	if told, ok := w.(interface{ Route(pattern string) }); ok && r.Pattern != "/" {
		told.Route(r.Pattern)
	}
}

// OpenAPI returns the document of all routes, OpenAPI 3.1, as indented JSON.
func (a *API) OpenAPI() ([]byte, error) {
	described := huma.NewAPI(humaConfig(), onPaper{})
	for _, declare := range a.declarations {
		declare(described)
	}
	document, err := json.MarshalIndent(described.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("print the OpenAPI document: %w", err)
	}
	return append(document, '\n'), nil
}

type requestIDKey struct{}

// maxRequestID is longer than a UUID, and short enough to keep a row small.
const maxRequestID = 64

// requestIDOf takes the client's X-Request-Id, or the gateway's own id that the adapter puts there. Where there is
// neither, nobody repeats the request, and any id will do.
func requestIDOf(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= maxRequestID {
		return id
	}
	return rand.Text()
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
