package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

const jwtSecret = "a secret of thirty-two characters"

// goTrue stands in for GoTrue's admin API: it keeps accounts, and lets in whom it knows for a service.
type goTrue struct {
	*httptest.Server
	accounts []user
}

func newGoTrue(t *testing.T) *goTrue {
	t.Helper()
	g := &goTrue{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/users", func(w http.ResponseWriter, r *http.Request) {
		filter := r.URL.Query().Get("filter")
		found := []user{}
		for _, one := range g.accounts {
			if strings.Contains(one.Email, filter) {
				found = append(found, one)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"users": found})
	})
	mux.HandleFunc("POST /admin/users", func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Email, Password string
			Confirm         bool `json:"email_confirm"`
		}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if len(asked.Password) < 8 || !asked.Confirm {
			http.Error(w, `{"msg":"Password should be at least 8 characters."}`, http.StatusUnprocessableEntity)
			return
		}
		made := user{ID: "11111111-2222-4333-8444-555555555555", Email: asked.Email}
		g.accounts = append(g.accounts, made)
		_ = json.NewEncoder(w).Encode(made)
	})
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := jwt.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), func(*jwt.Token) (any, error) { return []byte(jwtSecret), nil })
		if err != nil || token.Claims.(jwt.MapClaims)["role"] != "service_role" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func firstStartOf(t *testing.T, url string, g *goTrue) firstStartSettings {
	t.Helper()
	return firstStartSettings{
		Settings:  store.Settings{DatabaseURL: url, MasterKey: storetest.MasterKey(t)},
		GoTrueURL: g.URL + "/", JWTSecret: jwtSecret, Email: "ada@plurabase.test", Password: "correct horse", Organization: "Main",
	}
}

func TestTheFirstAdministratorGetsAnOrganizationOnce(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	g := newGoTrue(t)
	var told bytes.Buffer
	for range 3 {
		require.NoError(t, firstStartOf(t, url, g).firstStart(t.Context(), &told))
	}
	require.Equal(t, "Made the organization \"Main\" of ada@plurabase.test.\n", told.String())
	require.Len(t, g.accounts, 1)
	profile, err := s.EnsureProfile(t.Context(), g.accounts[0].ID, "ada@plurabase.test")
	require.NoError(t, err)
	memberships, err := s.Memberships(t.Context(), profile.ID)
	require.NoError(t, err)
	require.Len(t, memberships, 1)
}

func TestAFirstStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	g := newGoTrue(t)
	settings := firstStartOf(t, url, g)
	settings.Password = "short"
	require.ErrorContains(t, settings.firstStart(t.Context(), &bytes.Buffer{}), "at least 8 characters")
	settings.Password = ""
	require.ErrorContains(t, settings.firstStart(t.Context(), &bytes.Buffer{}), "PLURABASE_ADMIN_PASSWORD is empty")
	settings.JWTSecret = "another secret of thirty-two chars"
	require.ErrorContains(t, settings.firstStart(t.Context(), &bytes.Buffer{}), "401")

	settings.Email = ""
	var told bytes.Buffer
	require.NoError(t, settings.firstStart(t.Context(), &told))
	require.Contains(t, told.String(), "whoever signs up")
	require.Empty(t, g.accounts)
}

func TestAnEmptyDatabaseIsPreparedAgainAndAgain(t *testing.T) {
	t.Parallel()
	admin := pgtest.URL(t)
	conn, err := pgx.Connect(t.Context(), admin)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	_, err = conn.Exec(t.Context(), "drop schema platform cascade") // pgtest's databases have it
	require.NoError(t, err)

	for _, password := range []string{"it's", `a "new" \one%`} {
		settings := prepareSettings{AdminURL: admin, PlatformPassword: password, AuthPassword: password}
		settings.DatabaseURL = as(t, admin, platformRole, password)
		require.NoError(t, settings.prepare(t.Context()))
		asAuth, err := pgx.Connect(t.Context(), as(t, admin, authRole, password))
		require.NoError(t, err)
		_, err = asAuth.Exec(t.Context(), "create table if not exists users ()") // as GoTrue's migrations do
		require.NoError(t, err)
		_, err = asAuth.Exec(t.Context(), "select from platform.projects")
		require.ErrorContains(t, err, "permission denied", "GoTrue's role sees nothing of the platform")
		require.NoError(t, asAuth.Close(t.Context()))
	}
	var where string
	require.NoError(t, conn.QueryRow(t.Context(), "select schemaname from pg_tables where tablename = 'users'").Scan(&where))
	require.Equal(t, "auth", where)
}

// as is the URL of another role. Where the test's server asks for no password, a wrong one would do as well: that passwords are
// quoted is what counts here.
func as(t *testing.T, admin, role, password string) string {
	t.Helper()
	parsed, err := url.Parse(admin)
	require.NoError(t, err)
	parsed.User = url.UserPassword(role, password)
	return parsed.String()
}
