package kong_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// services are those that a project is reached by.
var services = []string{store.ServiceAuth, store.ServiceRest, store.ServiceRealtime, store.ServiceStorage, store.ServiceFunctions}

// projectWorld is a gateway with projects whose services are stand-ins: each says what it was asked.
type projectWorld struct {
	*bundle
	store    *store.Store
	owner    store.Profile
	projects int
	// password is that of the projects' databases.
	password string
}

// project is one project with what opens it.
type project struct {
	store.Project
	secrets     store.Secrets
	publishable store.RevealedAPIKey
	secret      store.RevealedAPIKey
}

// host is where the project is served.
func (p project) host() string { return string(p.Ref) + ".localhost" }

// asked is what a stand-in was asked.
type asked struct {
	Project store.Ref
	Service string
	Method  string
	Path    string
	Host    string
	Headers http.Header
	Body    int64
}

func setupProjects(t *testing.T, change ...func(*kongtest.Options)) *projectWorld {
	t.Helper()
	w := &projectWorld{bundle: setup(t, change...), password: "correct horse"}
	opened, err := store.Open(t.Context(), store.Settings{DatabaseURL: w.databaseURL, MasterKey: storetest.MasterKey(t)})
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	w.store = opened
	w.owner, err = opened.EnsureProfile(t.Context(), ada, "ada@example.com")
	require.NoError(t, err)
	return w
}

func (w *projectWorld) actor() store.Actor {
	return store.Actor{ProfileID: w.owner.ID, RequestID: uuid.NewString()}
}

// project makes a project that looks as if the provisioner had brought it up, with stand-ins for its services on addresses of its own.
func (w *projectWorld) project(services ...string) project {
	w.t.Helper()
	w.projects++
	organization, err := w.store.CreateOrganization(w.t.Context(), w.actor(), "Acme")
	require.NoError(w.t, err)
	made, err := w.store.CreateProject(w.t.Context(), w.actor(), store.NewProject{
		OrganizationID: organization.ID, Name: "shop", DatabasePassword: w.password, Target: "local", Services: append([]string{store.ServiceDatabase}, services...),
	})
	require.NoError(w.t, err)
	p := project{Project: made.Project}
	p.secrets, err = w.store.ProjectSecrets(w.t.Context(), p.ID, p.Ref, store.SecretJWT, store.SecretAnonKey, store.SecretServiceKey)
	require.NoError(w.t, err)
	keys, err := w.store.APIKeys(w.t.Context(), p.ID, p.Ref)
	require.NoError(w.t, err)
	for _, key := range keys {
		if key.Type == store.SecretKey {
			p.secret = key
		} else {
			p.publishable = key
		}
	}
	w.run(`insert into platform.project_subnets (target, subnet, project_id) values ('local', $2, $1)
		on conflict (project_id) do update set subnet = excluded.subnet`, p.ID, fmt.Sprintf("127.1.%d.0/24", w.projects))
	for i, service := range services {
		w.serve(p, service, fmt.Sprintf("127.1.%d.%d", w.projects, i+2), http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			size, _ := discard(r)
			_ = json.NewEncoder(answer).Encode(asked{p.Ref, service, r.Method, r.RequestURI, r.Host, r.Header, size})
		}))
	}
	w.status(p, store.StatusActiveHealthy)
	return p
}

// serve puts a service of a project at an address.
func (w *projectWorld) serve(p project, service, address string, handler http.Handler) {
	w.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", address+":0")
	require.NoError(w.t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	w.t.Cleanup(server.Close)
	w.run(`insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at) values ($1, $2, $3, $4, 'stand-in', true, now())
		on conflict (project_id, service) do update set host = excluded.host, port = excluded.port`,
		p.ID, service, address, listener.Addr().(*net.TCPAddr).Port)
}

func (w *projectWorld) status(p project, status store.Status) {
	w.t.Helper()
	w.run(`update platform.projects set status = $2 where id = $1`, p.ID, status)
}

func (w *projectWorld) run(sql string, arguments ...any) {
	w.t.Helper()
	connection, err := pgx.Connect(w.t.Context(), w.databaseURL)
	require.NoError(w.t, err)
	defer func() { _ = connection.Close(context.WithoutCancel(w.t.Context())) }()
	_, err = connection.Exec(w.t.Context(), sql, arguments...)
	require.NoError(w.t, err)
}

// becomes waits for the gateway to hear of what was changed.
func (w *projectWorld) becomes(status int, host, path string, headers ...string) answer {
	w.t.Helper()
	var last answer
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if last = w.ask(host, path, headers...); last.status == status {
			return last
		}
	}
	require.FailNow(w.t, "it does not become what is waited for", "%s%s: %d and not %d: %s", host, path, last.status, status, last.body)
	return last
}

// ask sends a GET to a project's host.
func (w *projectWorld) ask(host, path string, headers ...string) answer {
	w.t.Helper()
	return w.send(http.MethodGet, path, "", append([]string{"Host", host, "User-Agent", "test"}, headers...)...)
}

// sign signs a JWT with the project's secret.
func (p project) sign(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(p.secrets[store.SecretJWT]))
	require.NoError(t, err)
	return signed
}

// role is that of a token that the project's services would take; empty where it is none.
func (p project) role(token string) string {
	var claims struct {
		jwt.RegisteredClaims
		Role string `json:"role"`
	}
	_, err := jwt.ParseWithClaims(strings.TrimPrefix(token, "Bearer "), &claims, func(*jwt.Token) (any, error) {
		return []byte(p.secrets[store.SecretJWT]), nil
	}, jwt.WithValidMethods([]string{"HS256"}))
	if err != nil {
		return ""
	}
	return claims.Role
}

// raw sends a request as it stands, and returns the answer; a zero status where there was none.
func (w *projectWorld) raw(text string) answer {
	w.t.Helper()
	connection, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.gateway.URL(), "http://"))
	require.NoError(w.t, err)
	defer func() { _ = connection.Close() }()
	require.NoError(w.t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = connection.Write([]byte(text))
	require.NoError(w.t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return answer{}
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}
}

func discard(r *http.Request) (int64, error) { return io.Copy(io.Discard, r.Body) }
