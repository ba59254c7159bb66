package dataplane_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestBeforeTheProjectsAreKnownNobodyIsTurnedAwayForGood(t *testing.T) {
	t.Parallel()
	gateway := dataplane.New(dataplane.NewTable(newProjects(), 0, quiet()), dataplane.Settings{Domain: "localhost"}, time.Now, quiet())
	_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/rest/v1/todos"})
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status)
	require.NotEmpty(t, refusal.Header().Get("Retry-After"))
}

func TestWhatIsAnnouncedIsTakenUp(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, _ := open(t, s)
	ask := func(host, key string) int {
		_, refusal := gateway.Route(dataplane.Request{Host: host, Target: "/rest/v1/todos", APIKey: key})
		if refusal == nil {
			return http.StatusOK
		}
		return refusal.Status
	}
	becomes := func(status int, host, key string) {
		t.Helper()
		require.Eventually(t, func() bool { return ask(host, key) == status }, 30*time.Second, time.Millisecond)
	}
	becomes(http.StatusOK, shopHost, secretKey)

	revoked := shopProject()
	revoked.Keys = revoked.Keys[:1]
	s.set(revoked)
	becomes(http.StatusUnauthorized, shopHost, secretKey)
	require.Equal(t, http.StatusOK, ask(shopHost, publishable))

	named := running(2, blog)
	named.Subdomain, named.Hostname = "my-blog", "blog.example.com"
	named.Keys = shopProject().Keys
	s.set(named)
	for _, host := range []string{string(blog) + ".localhost", "my-blog.localhost", "blog.example.com"} {
		becomes(http.StatusOK, host, secretKey)
	}
	named.Subdomain, named.Hostname = "", ""
	s.set(named)
	becomes(http.StatusNotFound, "my-blog.localhost", secretKey)
	becomes(http.StatusNotFound, "blog.example.com", secretKey)

	s.remove(2)
	becomes(http.StatusNotFound, string(blog)+".localhost", secretKey)
	require.Equal(t, http.StatusOK, ask(shopHost, publishable), "the others go on")
}

func TestAfterTheConnectionBrokeEverythingIsReadAnew(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, _ := open(t, s)
	s.mutex.Lock()
	delete(s.all, 1) // nobody heard of it
	s.failing = true
	s.mutex.Unlock()
	s.cut <- errors.New("the connection broke")
	<-s.listening
	_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/auth/v1/verify"})
	require.Nil(t, refusal, "projects go on while Postgres cannot be asked")
	s.mutex.Lock()
	s.failing = false
	s.mutex.Unlock()
	require.Eventually(t, func() bool {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/auth/v1/verify"})
		return refusal != nil && refusal.Status == http.StatusNotFound
	}, 30*time.Second, time.Millisecond)
}

func TestRequestsAndTheUseOfKeysAreWrittenDownOnce(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, table := open(t, s)
	for range 3 {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/rest/v1/todos", APIKey: secretKey})
		require.Nil(t, refusal)
	}
	_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/rest/v1/todos", APIKey: "wrong"})
	require.NotNil(t, refusal, "what is refused is nobody's traffic")
	s.mutex.Lock()
	s.failing = true
	s.mutex.Unlock()
	table.Flush(t.Context(), now)
	s.mutex.Lock()
	s.failing = false
	s.mutex.Unlock()
	s.set(shopProject()) // replaced, and nothing of what was counted is lost
	table.Flush(t.Context(), now)
	table.Flush(t.Context(), now)
	require.Equal(t, []store.Traffic{{ProjectID: 1, Service: store.ServiceRest, Requests: 3}}, s.traffic)
	require.Equal(t, map[uuid.UUID]time.Time{{2}: time.Unix(now.Unix(), 0)}, s.used)
}

func TestTheUseOfLegacyKeysIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, table := open(t, s)
	key := legacy(t, shop, "service_role")
	for _, one := range []string{key, key, legacy(t, shop, "anon", jwt.MapClaims{"iss": "somebody"})} {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/rest/v1/todos", APIKey: one})
		require.Nil(t, refusal)
	}
	table.Flush(t.Context(), now)
	table.Flush(t.Context(), now)
	signature := key[strings.LastIndexByte(key, '.')+1:][:10]
	require.Equal(t, []store.LegacyKeyUse{{ProjectID: 1, Role: "service_role", Signature: signature, At: time.Unix(now.Unix(), 0)}}, s.legacy)
}

// many returns a gateway that knows so many projects.
func many(b *testing.B, count int) *dataplane.Gateway {
	all := make([]store.GatewayProject, count)
	for i := range all {
		all[i] = shopProject()
		all[i].ID, all[i].Ref = int64(i+1), store.Ref(fmt.Sprintf("%020d", i))
		for name, address := range all[i].Targets {
			all[i].Targets[name] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(address.Port() - 2990)}), address.Port())
		}
	}
	gateway, _ := open(b, newProjects(all...))
	return gateway
}

// BenchmarkRoute asks each project in turn, so that what is known of one is not in the processor's caches from the time before.
func BenchmarkRoute(b *testing.B) {
	const rest = "/rest/v1/todos?select=*"
	for _, count := range []int{100, 10_000} {
		gateway := many(b, count)
		kinds := map[string][]dataplane.Request{}
		for i := range count {
			ref := store.Ref(fmt.Sprintf("%020d", i*7919%count))
			host := string(ref) + ".localhost:8000"
			for kind, r := range map[string]dataplane.Request{
				"publishable":  {Host: host, Target: rest, APIKey: publishable},
				"secret":       {Host: host, Target: rest, APIKey: secretKey},
				"service_role": {Host: host, Target: rest, APIKey: legacy(b, ref, "service_role")},
				"session":      {Host: host, Target: rest, APIKey: publishable, Authorization: "Bearer session"},
				"wrong":        {Host: host, Target: rest, APIKey: "sb_secret_nobody"},
				"open":         {Host: host, Target: "/storage/v1/object/public/a/b.png"},
				"no project":   {Host: fmt.Sprintf("n%019d.localhost", i), Target: rest},
			} {
				kinds[kind] = append(kinds[kind], r)
			}
		}
		for kind, requests := range kinds {
			b.Run(fmt.Sprintf("%s/projects=%d", kind, count), func(b *testing.B) {
				for _, r := range requests { // what is made of a key is made once
					gateway.Route(r)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					gateway.Route(requests[i%count])
				}
			})
		}
	}
}
