package kong_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store"
)

// behindProxy has the client's address be the one that a header names, as KONG_TRUSTED_IPS makes nginx do for a proxy.
func behindProxy(o *kongtest.Options) {
	for name, text := range o.ProxySet {
		o.ProxySet[name] = strings.ReplaceAll(text, "$remote_addr", "$http_x_forwarded_for")
	}
}

// TestWhoGuessesAtSecretKeysIsBanned sends ten wrong keys of each kind from an address, and then a good one.
func TestWhoGuessesAtSecretKeysIsBanned(t *testing.T) {
	t.Parallel()
	w := setupProjects(t, behindProxy)
	shop, other := w.project(store.ServiceRest, store.ServiceFunctions), w.project(store.ServiceRest)
	ask := func(p project, address, path, key string) int {
		return w.ask(p.host(), path, "apikey", key, "X-Forwarded-For", address).status
	}
	becomes := func(status int, address string) {
		t.Helper()
		w.becomes(status, shop.host(), "/rest/v1/todos", "apikey", shop.secret.Key, "X-Forwarded-For", address)
	}
	const operator = "198.51.100.1"
	becomes(http.StatusOK, operator)
	w.becomes(http.StatusOK, other.host(), "/rest/v1/todos", "apikey", other.secret.Key, "X-Forwarded-For", operator)
	opaque := func(kind string) func(int) string {
		return func(i int) string { return fmt.Sprintf("sb_%s_%022d_ABCDEFGH", kind, i) }
	}
	signed := func(by project, role string) func(int) string {
		return func(i int) string { return by.sign(t, jwt.MapClaims{"role": role, "jti": fmt.Sprint(i)}) }
	}
	for i, guess := range []struct {
		name, path string
		key        func(int) string
		banned     bool
	}{
		{"publishable keys", "/rest/v1/todos", opaque("publishable"), false},
		{"anon keys that another signed", "/rest/v1/todos", signed(other, "anon"), false},
		{"one secret key, again and again", "/rest/v1/todos", func(int) string { return other.secret.Key }, false},
		{"secret keys", "/rest/v1/todos", opaque("secret"), true},
		{"service keys that another signed", "/rest/v1/todos", signed(other, "service_role"), true},
		{"secret keys at a function", "/functions/v1/hello", opaque("secret"), true},
	} {
		address := fmt.Sprintf("203.0.113.%d", i+1)
		for n := range 9 {
			require.Equal(t, http.StatusUnauthorized, ask(shop, address, guess.path, guess.key(n)), guess.name)
		}
		require.Equal(t, http.StatusOK, ask(shop, address, "/rest/v1/todos", shop.secret.Key), "%s: nine are no reason", guess.name)
		require.Equal(t, http.StatusUnauthorized, ask(shop, address, guess.path, guess.key(10)), guess.name)
		if guess.banned {
			becomes(http.StatusForbidden, address)
		}
		require.Equal(t, http.StatusOK, ask(other, address, "/rest/v1/todos", other.secret.Key), "it is that project's ban")
	}
	becomes(http.StatusOK, operator)
	for n := range 20 { // through a proxy that Kong was not told of everybody has such an address
		require.Equal(t, http.StatusUnauthorized, ask(shop, "172.18.0.1", "/rest/v1/todos", opaque("secret")(n)))
	}

	path := "/api/v1/projects/" + string(shop.Ref) + "/network-bans"
	listed := func(path string) []any {
		return w.signedIn(http.MethodPost, path, "").json(t)["banned_ipv4_addresses"].([]any)
	}
	require.Equal(t, []any{"203.0.113.4", "203.0.113.5", "203.0.113.6"}, listed(path+"/retrieve"))
	require.Equal(t, map[string]any{"banned_address": "203.0.113.4", "identifier": string(shop.Ref), "type": "gateway"}, listed(path + "/retrieve/enriched")[0])
	lifted := w.signedIn(http.MethodDelete, path, `{"ipv4_addresses":["203.0.113.4"]}`)
	require.Equal(t, http.StatusOK, lifted.status, string(lifted.body))
	becomes(http.StatusOK, "203.0.113.4")
	require.Equal(t, []any{"203.0.113.5", "203.0.113.6"}, listed(path+"/retrieve"))
}

func TestABanLapsesByItself(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceRest)
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
	made, err := w.store.BanFromProject(t.Context(), p.ID, netip.MustParseAddr("127.0.0.1"), time.Now().Add(2*time.Second))
	require.NoError(t, err)
	require.True(t, made)
	w.becomes(http.StatusForbidden, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
}
