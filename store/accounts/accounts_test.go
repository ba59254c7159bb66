package accounts_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/accounts"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

const (
	jwtSecret = "a secret of thirty-two characters"
	ada       = "ada@plurabase.test"
	adasID    = "11111111-2222-4333-8444-555555555555"
)

// goTrue stands in for GoTrue's admin API: it keeps accounts, and lets in whom it knows for a service.
type goTrue struct {
	*httptest.Server
	emails   []string // the first is Ada's
	password string   // hers
	factors  []string
}

func newGoTrue(t *testing.T) (*goTrue, accounts.GoTrue) {
	t.Helper()
	g := &goTrue{factors: []string{"a", "b"}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body any) { _ = json.NewEncoder(w).Encode(body) }
	mux.HandleFunc("GET /admin/users", func(w http.ResponseWriter, r *http.Request) {
		found := []map[string]string{{"id": "another", "email": "not." + ada}} // the filter is a part of the address
		for _, email := range g.emails {
			if strings.Contains(email, r.URL.Query().Get("filter")) {
				found = append(found, map[string]string{"id": adasID, "email": email})
			}
		}
		answer(w, map[string]any{"users": found})
	})
	takesPassword := func(w http.ResponseWriter, r *http.Request) (asked struct {
		Email, Password string
		Confirm         bool `json:"email_confirm"`
	}, ok bool,
	) {
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if len(asked.Password) < 8 {
			http.Error(w, `{"msg":"Password should be at least 8 characters."}`, http.StatusUnprocessableEntity)
			return asked, false
		}
		g.password = asked.Password
		return asked, true
	}
	mux.HandleFunc("POST /admin/users", func(w http.ResponseWriter, r *http.Request) {
		if asked, ok := takesPassword(w, r); ok && asked.Confirm {
			g.emails = append(g.emails, asked.Email)
			answer(w, map[string]string{"id": adasID, "email": asked.Email})
		}
	})
	mux.HandleFunc("PUT /admin/users/"+adasID, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := takesPassword(w, r); ok {
			answer(w, map[string]string{"id": adasID})
		}
	})
	mux.HandleFunc("GET /admin/users/"+adasID+"/factors", func(w http.ResponseWriter, _ *http.Request) {
		factors := []map[string]string{}
		for _, id := range g.factors {
			factors = append(factors, map[string]string{"id": id})
		}
		answer(w, factors)
	})
	mux.HandleFunc("DELETE /admin/users/"+adasID+"/factors/{id}", func(w http.ResponseWriter, r *http.Request) {
		g.factors = slices.DeleteFunc(g.factors, func(id string) bool { return id == r.PathValue("id") })
		answer(w, map[string]string{})
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
	return g, accounts.GoTrue{URL: g.URL + "/", JWTSecret: jwtSecret}
}

func TestTheFirstAdministratorGetsAnOrganizationOnce(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	stand, client := newGoTrue(t)
	made, err := client.First(t.Context(), s, ada, "correct horse", "Main")
	require.NoError(t, err)
	require.Equal(t, "Main", made.Name)
	made, err = client.First(t.Context(), s, strings.ToUpper(ada), "another password", "Main")
	require.NoError(t, err)
	require.Nil(t, made)
	require.Equal(t, []string{ada}, stand.emails)
	require.Equal(t, "correct horse", stand.password, "an account is kept as it is")
	profile, err := s.EnsureProfile(t.Context(), adasID, ada)
	require.NoError(t, err)
	memberships, err := s.Memberships(t.Context(), profile.ID)
	require.NoError(t, err)
	require.Len(t, memberships, 1)
}

func TestAnAccountThatCannotBeMadeIsSaid(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	stand, client := newGoTrue(t)
	_, err := client.First(t.Context(), s, ada, "short", "Main")
	require.ErrorContains(t, err, "at least 8 characters")
	_, err = client.First(t.Context(), s, ada, "", "Main")
	require.ErrorIs(t, err, accounts.ErrNoPassword)
	client.JWTSecret = "another secret of thirty-two chars"
	_, err = client.First(t.Context(), s, ada, "correct horse", "Main")
	require.ErrorContains(t, err, "401")
	require.Empty(t, stand.emails)
}

func TestAnAccountIsReset(t *testing.T) {
	t.Parallel()
	stand, client := newGoTrue(t)
	require.ErrorIs(t, client.Reset(t.Context(), ada, "correct horse"), accounts.ErrNobody)
	stand.emails = []string{ada}
	require.ErrorContains(t, client.Reset(t.Context(), ada, "short"), "at least 8 characters")
	require.Len(t, stand.factors, 2)
	require.NoError(t, client.Reset(t.Context(), ada, "correct horse"))
	require.Equal(t, "correct horse", stand.password)
	require.Empty(t, stand.factors)
}
