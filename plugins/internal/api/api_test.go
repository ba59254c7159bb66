package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(witnessed{pgtest.WithServer(m)}, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(built)
		os.Exit(code)
	}))
}

const (
	jwtSecret = "a-secret-of-at-least-32-characters-here"
	ada       = "11111111-1111-4111-8111-111111111111"
	grace     = "22222222-2222-4222-8222-222222222222"
)

// bundle is an API on a database of its own, and what its log said.
type bundle struct {
	*API
	t           *testing.T
	databaseURL string
	logged      *bytes.Buffer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	opened, url := storetest.NewWithURL(t)
	logged := &bytes.Buffer{}
	return &bundle{t: t, databaseURL: url, logged: logged, API: newAPI(t, opened, logged)}
}

func newAPI(t testing.TB, opened *store.Store, logged io.Writer) *API {
	return New(Dependencies{
		Settings: Settings{
			PublicURL: "http://localhost:8000", ProjectDomain: "localhost:8000", DatabaseHost: "localhost", Target: "local",
			Instance: instance.Default(), PostgresPlainText: PlainTextTaken,
		},
		Store:         opened,
		Authenticator: identity.New(opened, identity.Settings{JWTSecret: jwtSecret}, storetest.Clock),
		Tokens:        pgmeta.NewTokens(storetest.MasterKey(t), storetest.Random(), storetest.Clock),
		CompareSchemas: func(ctx context.Context, asked schemadiff.Request) (string, error) {
			program, err := schemaDiff()
			if err != nil {
				return "", err
			}
			return schemadiff.Run(ctx, program, asked)
		},
		Log: slog.New(slog.NewTextHandler(logged, nil)),
		Now: storetest.Clock,
	})
}

// schemaDiff builds the program that compares schemas, once.
var schemaDiff = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "schema-diff")
	if err != nil {
		return "", err
	}
	built = folder
	program := filepath.Join(folder, "schema-diff")
	return program, exec.Command("go", "build", "-o", program, "github.com/plurabase/plurabase/plugins/schema-diff").Run()
})

// built is the folder of what schemaDiff has built; empty where it was not asked.
var built string

// session is the Authorization header of a user who signed in at GoTrue.
func session(t testing.TB, gotrueID, email string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": gotrueID, "email": email, "aud": "authenticated", "role": "authenticated",
		"exp": storetest.Now.Add(time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	require.NoError(t, err)
	return "Bearer " + signed
}

// send sends a request and returns the answer, with its body decoded where there is one.
func (b *bundle) send(authorization, method, path, body string) (int, map[string]any) {
	b.t.Helper()
	recorder := b.raw(authorization, method, path, body)
	answer := map[string]any{}
	if recorder.Body.Len() > 0 {
		require.NoError(b.t, json.Unmarshal(recorder.Body.Bytes(), &answer), recorder.Body.String())
	}
	return recorder.Code, answer
}

func (b *bundle) raw(authorization, method, path, body string) *httptest.ResponseRecorder {
	return b.rawAs("", authorization, method, path, body)
}

// rawAs is raw with a content type, application/json where empty.
func (b *bundle) rawAs(contentType, authorization, method, path, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	request.Header.Set("Content-Type", cmp.Or(contentType, "application/json"))
	recorder := httptest.NewRecorder()
	b.ServeHTTP(recorder, request)
	looksOn.note(b.t.Name(), request, recorder)
	return recorder
}

// organization makes an organization of the caller's and returns its slug.
func (b *bundle) organization(authorization string) string {
	b.t.Helper()
	status, made := b.send(authorization, http.MethodPost, "/platform/organizations", `{"name":"Acme","tier":"tier_free"}`)
	require.Equal(b.t, http.StatusCreated, status, made)
	return made["slug"].(string)
}

// project makes a project and returns its ref.
func (b *bundle) project(authorization, slug, name string) string {
	b.t.Helper()
	status, made := b.send(authorization, http.MethodPost, "/platform/projects",
		`{"organization_slug":"`+slug+`","name":"`+name+`","db_pass":"correct horse","cloud_provider":"AWS","db_region":"Europe"}`)
	require.Equal(b.t, http.StatusCreated, status, made)
	return made["ref"].(string)
}

func TestTheFirstTokenMakesTheProfileWhateverTheEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, profile := b.send(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ada@example.com", profile["primary_email"])
	require.InEpsilon(t, 1, profile["id"], 0, "ids are numbers")

	require.Equal(t, http.StatusOK, b.raw(session(t, grace, "grace@example.com"), http.MethodGet, "/platform/organizations", "").Code)
	status, again := b.send(session(t, grace, "grace@example.com"), http.MethodPost, "/platform/profile", "")
	require.Equal(t, http.StatusCreated, status)
	require.InEpsilon(t, 2, again["id"], 0)
}

func TestAnAccessTokenIsACredentialUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, made := b.send(session(t, ada, "ada@example.com"), http.MethodPost, "/platform/profile/access-tokens", `{"name":"laptop"}`)
	require.Equal(t, http.StatusCreated, status)
	byToken := "Bearer " + made["token"].(string)

	status, profile := b.send(byToken, http.MethodGet, "/platform/profile", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, ada, profile["gotrue_id"])
	listed := b.raw(byToken, http.MethodGet, "/platform/profile/access-tokens", "")
	require.NotContains(t, listed.Body.String(), made["token"])

	status, _ = b.send(byToken, http.MethodDelete, "/platform/profile/access-tokens/1", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = b.send(byToken, http.MethodGet, "/platform/profile", "")
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestAProjectFromItsCreationToItsDeletion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	ref := b.project(owner, b.organization(owner), "shop")

	status, detail := b.send(owner, http.MethodGet, "/platform/projects/"+ref, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "COMING_UP", detail["status"])
	require.Nil(t, detail["connectionString"], "there is no database yet")
	require.Equal(t, "http://"+ref+".localhost:8000/rest/v1/", detail["restUrl"])

	// Studio sends these with a JSON content type and no body.
	status, refusal := b.send(owner, http.MethodPost, "/platform/projects/"+ref+"/pause", "")
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "The project is coming up: it cannot be changed by a pause now.", refusal["message"])
	status, _ = b.send(owner, http.MethodDelete, "/platform/projects/"+ref, "")
	require.Equal(t, http.StatusOK, status)
	_, polled := b.send(owner, http.MethodGet, "/platform/projects/"+ref+"/status", "")
	require.Equal(t, "GOING_DOWN", polled["status"])
}

func TestTheManagementAPIShowsTheSameProjects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	slug := b.organization(owner)
	status, made := b.send(owner, http.MethodPost, "/v1/projects", `{"organization_id":"`+slug+`","name":"shop","db_pass":"correct horse"}`)
	require.Equal(t, http.StatusCreated, status, made)
	require.Regexp(t, "^[a-z]{20}$", made["ref"])

	_, byPlatform := b.send(owner, http.MethodGet, "/platform/organizations/"+slug+"/projects?limit=96&offset=0&sort=name_asc", "")
	projects := byPlatform["projects"].([]any)
	require.Len(t, projects, 1)
	require.Equal(t, made["ref"], projects[0].(map[string]any)["ref"])
	require.InEpsilon(t, 1, byPlatform["pagination"].(map[string]any)["count"], 0)
	require.InEpsilon(t, 96, byPlatform["pagination"].(map[string]any)["limit"], 0)
}

func TestStrangersGetNothingOfAnybodysProjects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner, stranger := session(t, ada, "ada@example.com"), session(t, grace, "grace@example.com")
	slug := b.organization(owner)
	ref := b.project(owner, slug, "shop")
	for _, path := range []string{"/platform/organizations/" + slug, "/platform/projects/" + ref, "/v1/projects/" + ref} {
		status, _ := b.send(stranger, http.MethodGet, path, "")
		require.Equal(t, http.StatusNotFound, status, path)
	}
	status, _ := b.send(stranger, http.MethodPost, "/platform/projects", `{"organization_slug":"`+slug+`","name":"mine","db_pass":"correct horse"}`)
	require.Equal(t, http.StatusNotFound, status)
	_, listed := b.send(stranger, http.MethodGet, "/platform/projects", "")
	require.Empty(t, listed["projects"])
}

func TestBadInputGetsOneSentenceAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	slug := b.organization(owner)
	tests := []struct{ name, method, path, body, message string }{
		{"no name", http.MethodPost, "/platform/projects", `{"organization_slug":"` + slug + `","db_pass":"hunter2!"}`, "body: expected required property name to be present."},
		{"an empty name", http.MethodPost, "/platform/organizations", `{"name":""}`, "name: expected length >= 1."},
		{"a number for a name", http.MethodPost, "/platform/organizations", `{"name":5}`, "name: expected string."},
		{"no JSON", http.MethodPost, "/platform/organizations", `{"name":`, "body: unexpected end of JSON input."},
		{"no body", http.MethodPost, "/platform/organizations", ``, "request body is required."},
		{"a control character", http.MethodPost, "/platform/projects", `{"organization_slug":"` + slug + `","name":"a","db_pass":"hunter2\u0000"}`, "db_pass: expected string to be no control characters."},
		{"a negative limit", http.MethodGet, "/platform/projects?limit=-1", ``, "query.limit: expected number >= 1."},
		{"an unknown order", http.MethodGet, "/platform/projects?sort=random", ``, `query.sort: expected value to be one of "name_asc, name_desc, created_asc, created_desc".`},
		{"a past expiry", http.MethodPost, "/platform/profile/access-tokens", `{"name":"a","expires_at":"2001-01-01T00:00:00Z"}`, "expires_at has to be in the future."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, refusal := b.send(owner, test.method, test.path, test.body)
			require.Equal(t, http.StatusBadRequest, status)
			require.Equal(t, test.message, refusal["message"])
			require.NotContains(t, refusal["message"], "hunter2")
		})
	}
	_, listed := b.send(owner, http.MethodGet, "/platform/projects", "")
	require.Empty(t, listed["projects"])
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, _ := b.send(session(t, ada, "ada@example.com"), http.MethodPost, "/platform/organizations",
		`{"name":"`+strings.Repeat("a", defaultMaxBody)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
}

func TestAnUnknownEndpointIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, refusal := b.send("", http.MethodPut, "/platform/nowhere", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, map[string]any{"message": "There is no endpoint PUT /platform/nowhere.", "code": "not_found"}, refusal)
}

func TestADatabaseThatCannotBeReachedIsA503WithoutItsAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	closed, err := store.Open(t.Context(), store.Settings{
		DatabaseURL: "postgres://someone:hush@127.0.0.1:1/nowhere", MasterKey: storetest.MasterKey(t),
	})
	require.NoError(t, err)
	t.Cleanup(closed.Close)
	b.authenticator = identity.New(closed, identity.Settings{JWTSecret: jwtSecret}, storetest.Clock)
	recorder := b.raw(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile", "")
	require.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	require.NotContains(t, recorder.Body.String()+b.logged.String(), "hush")
	require.NotContains(t, recorder.Body.String(), "127.0.0.1")
	require.Contains(t, b.logged.String(), "connection refused")
}
