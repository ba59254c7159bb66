package dataplane_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

var rules = dataplane.BanRules{After: 3, Window: time.Minute, Duration: time.Hour, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}

const guesser = "192.0.2.1"

// guarded is a gateway before the shop and the blog that bans by rules.
type guarded struct {
	t       *testing.T
	gateway *dataplane.Gateway
	store   *projects
	clock   time.Time
}

func newGuarded(t *testing.T, rules dataplane.BanRules) *guarded {
	t.Helper()
	g := &guarded{t: t, store: newProjects(shopProject(), running(2, blog)), clock: now}
	_, table := open(t, g.store)
	g.gateway = dataplane.New(table, dataplane.Settings{Domain: "localhost", Bans: rules}, func() time.Time { return g.clock }, quiet())
	return g
}

// writes writes bans down while the test runs, and waits for the end of it.
func (g *guarded) writes() {
	ctx, cancel := context.WithCancel(g.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.gateway.WriteBans(ctx)
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

func (g *guarded) ask(host, client, key string) int {
	_, refusal := g.gateway.Route(dataplane.Request{Host: host, Target: "/rest/v1/todos", APIKey: key, Client: netip.MustParseAddr(client)})
	if refusal != nil {
		return refusal.Status
	}
	return http.StatusOK
}

// guess sends wrong keys, each another.
func (g *guarded) guess(client string, times int, key func(i int) string) {
	g.t.Helper()
	for i := range times {
		require.Contains(g.t, []int{http.StatusUnauthorized, http.StatusForbidden}, g.ask(shopHost, client, key(i)))
	}
}

func (g *guarded) becomesBanned(client string) {
	g.t.Helper()
	require.Eventually(g.t, func() bool { return g.ask(shopHost, client, secretKey) == http.StatusForbidden }, 30*time.Second, time.Millisecond)
}

func opaque(i int) string { return fmt.Sprintf("sb_secret_%022d_ABCDEFGH", i) }

// stranger is a key that says that it is a service_role's of the shop, signed by somebody else.
func stranger(t *testing.T) func(int) string {
	return func(i int) string {
		return legacy(t, blog, "service_role", jwt.MapClaims{"ref": string(shop), "jti": fmt.Sprint(i)})
	}
}

func TestWhoTriesSeveralSecretKeysIsTurnedAwayFromThatProjectForAWhile(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]func(int) string{"opaque": opaque, "signed": stranger(t)} {
		g := newGuarded(t, rules)
		g.writes()
		g.guess(guesser, 2, key)
		require.Equal(t, http.StatusOK, g.ask(shopHost, guesser, secretKey), "%s: twice is a mistake", name)
		g.guess(guesser, 3, key)
		g.becomesBanned(guesser)
		require.Equal(t, http.StatusOK, g.ask(shopHost, "192.0.2.2", secretKey), "others go on")
		require.Equal(t, http.StatusUnauthorized, g.ask(string(blog)+".localhost", guesser, ""), "other projects ban for themselves")
		g.clock = g.clock.Add(time.Hour)
		require.Equal(t, http.StatusOK, g.ask(shopHost, guesser, secretKey), "it has lapsed")
	}
}

func TestAnIPv6ClientHasAllOfItsNetwork(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, rules)
	g.writes()
	for i := range 3 {
		g.guess(fmt.Sprintf("2001:db8::%d", i+1), 1, func(int) string { return opaque(i) })
	}
	g.becomesBanned("2001:db8::4")
	require.Equal(t, http.StatusOK, g.ask(shopHost, "2001:db8:0:1::1", secretKey))
}

// TestWhatIsNoGuessBansNobody sends each many times, and then a guess of somebody else's: when that one is banned, the others
// would have been before.
func TestWhatIsNoGuessBansNobody(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, rules)
	g.guess(guesser, 20, func(i int) string { return fmt.Sprintf("sb_publishable_%022d_ABCDEFGH", i) })
	g.guess(guesser, 20, func(i int) string { return legacy(t, blog, "anon", jwt.MapClaims{"jti": fmt.Sprint(i)}) })
	g.guess(guesser, 20, func(i int) string { return legacy(t, shop, "authenticated", jwt.MapClaims{"jti": fmt.Sprint(i)}) })
	g.guess(guesser, 20, func(i int) string {
		return legacy(t, shop, "service_role", jwt.MapClaims{"jti": fmt.Sprint(i), "exp": now.Add(-time.Second).Unix()})
	})
	g.guess(guesser, 20, func(int) string { return opaque(0) })
	g.guess(guesser, 20, func(i int) string { return fmt.Sprint("nonsense", i) })
	for i := range 20 {
		g.clock = g.clock.Add(rules.Window / 2)
		g.guess("192.0.2.3", 1, func(int) string { return opaque(i) }) // two within each minute
	}
	for _, exempt := range []string{"127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", "fe80::1", "0.0.0.0"} {
		g.guess(exempt, 20, opaque)
	}
	g.guess("192.0.2.2", 3, opaque)
	g.writes()
	g.becomesBanned("192.0.2.2")
	g.store.mutex.Lock()
	defer g.store.mutex.Unlock()
	require.Len(t, g.store.all[1].Banned, 1)
}

func TestWithoutANumberNobodyIsBanned(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, dataplane.BanRules{Window: time.Minute, Duration: time.Hour})
	g.guess(guesser, 20, opaque)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // whether it sees what there is to write, or its end, is chance
		g.gateway.WriteBans(ctx)
	}
	require.Empty(t, g.store.all[1].Banned)
}

func TestABanThatCouldNotBeWrittenIsMadeByTheNextGuess(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, rules)
	g.store.mutex.Lock()
	g.store.failing = true
	g.store.mutex.Unlock()
	g.guess(guesser, 3, opaque)
	g.writes()
	require.Eventually(t, func() bool {
		g.store.mutex.Lock()
		defer g.store.mutex.Unlock()
		return g.store.refused > 0
	}, 30*time.Second, time.Millisecond)
	g.store.mutex.Lock()
	g.store.failing = false
	g.store.mutex.Unlock()
	g.guess(guesser, 1, func(int) string { return opaque(99) })
	g.becomesBanned(guesser)
}
