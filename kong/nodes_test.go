package kong_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// heardWithin is far more than it takes, for machines that are busy; what it took is printed.
const heardWithin = 10 * time.Second

// TestEveryNodeHearsOfWhatIsClosed runs two gateways on one Postgres. What is closed, by whichever way, is closed on both.
func TestEveryNodeHearsOfWhatIsClosed(t *testing.T) {
	t.Parallel()
	one := setupProjects(t, behindProxy)
	two := &projectWorld{bundle: &bundle{t: t, gateway: startGateway(t, one.environment, behindProxy), databaseURL: one.databaseURL}}
	nodes := []*projectWorld{one, two}
	p := one.project(store.ServiceRest)
	worker, err := one.store.CreateAPIKey(t.Context(), one.actor(), p.Ref, store.WantedAPIKey{Type: store.SecretKey, Name: "worker"})
	require.NoError(t, err)
	both := func(status int, key, address string) {
		t.Helper()
		for _, node := range nodes {
			node.becomes(status, p.host(), "/rest/v1/todos", "apikey", key, "X-Forwarded-For", address)
		}
	}
	const friend, guesser = "192.0.2.1", "203.0.113.1"
	for _, address := range []string{friend, guesser} {
		both(http.StatusOK, worker.Key, address)
	}
	closed := func(what string, status int, key, address string, closes func()) {
		t.Helper()
		closes()
		begun := time.Now()
		both(status, key, address)
		took := time.Since(begun)
		require.Less(t, took, heardWithin)
		fmt.Printf("nodes: %s was in force on both after %s\n", what, took.Round(100*time.Microsecond))
		both(http.StatusOK, p.secret.Key, "192.0.2.2")
	}

	closed("a revoked key", http.StatusUnauthorized, worker.Key, friend, func() {
		_, err := one.store.DeleteAPIKey(t.Context(), one.actor(), p.Ref, worker.ID, "", false)
		require.NoError(t, err)
	})
	closed("a ban that one of them made", http.StatusForbidden, p.secret.Key, guesser, func() {
		for n := range 10 {
			one.ask(p.host(), "/rest/v1/todos", "apikey", fmt.Sprintf("sb_secret_%022d_ABCDEFGH", n), "X-Forwarded-For", guesser)
		}
	})
	closed("a network restriction", http.StatusForbidden, p.secret.Key, friend, func() {
		_, err := one.store.RestrictNetwork(t.Context(), one.actor(), p.Ref, func([]netip.Prefix) []netip.Prefix {
			return []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32")}
		})
		require.NoError(t, err)
	})
}
