package dataplane_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

func TestAProjectThatDoesNotRunSaysSoAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	for status, want := range map[store.Status]int{
		store.StatusComingUp: 503, store.StatusPausing: 503, store.StatusInactive: 503, store.StatusRestoring: 503, store.StatusRestarting: 503,
		store.StatusResizing: 503, store.StatusUpgrading: 503, store.StatusInitFailed: 503, store.StatusPauseFailed: 503,
		store.StatusRestoreFailed: 503, store.StatusGoingDown: 404, "SOMETHING_NEW": 503,
		store.StatusActiveHealthy: 0, store.StatusActiveUnhealthy: 0,
	} {
		p := shopProject()
		p.Status = status
		gateway, _ := open(t, newProjects(p))
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/auth/v1/verify"})
		if want == 0 {
			require.Nil(t, refusal, status)
			continue
		}
		require.NotNil(t, refusal, status)
		require.Equal(t, want, refusal.Status, status)
		require.NotEmpty(t, refusal.Message, status)
		require.Equal(t, want == http.StatusServiceUnavailable, refusal.Header().Get("Retry-After") != "", status)
	}
}

func TestAServiceThatTheProjectLeftOutIsNotFound(t *testing.T) {
	t.Parallel()
	p := shopProject()
	p.Services = []string{store.ServiceDatabase, store.ServiceAuth}
	delete(p.Targets, store.ServiceAuth)
	gateway, _ := open(t, newProjects(p))
	refusal := refused(t, gateway, dataplane.Request{Target: "/storage/v1/bucket", APIKey: publishable})
	require.Equal(t, http.StatusNotFound, refusal.Status)
	require.Equal(t, "This project runs without Storage.", refusal.Message)
	refusal = refused(t, gateway, dataplane.Request{Target: "/auth/v1/verify"})
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status, "it was not seen yet")
	require.Equal(t, "Auth of this project is not there yet.", refusal.Message)
}

func TestOnlyAllowedAddressesAreLetIn(t *testing.T) {
	t.Parallel()
	p := shopProject()
	p.Allowed = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	p.Banned = []store.GatewayBan{
		{Network: netip.MustParsePrefix("192.0.2.66/32")},
		{Network: netip.MustParsePrefix("2001:db8:0:6::/64"), Until: now.Add(time.Second)},
		{Network: netip.MustParsePrefix("192.0.2.77/32"), Until: now},
	}
	closed := running(2, blog)
	closed.Allowed = []netip.Prefix{}
	gateway, _ := open(t, newProjects(p, closed))
	for client, let := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "2001:db8::1": true, "2001:db8::1%eth0": true,
		"192.0.3.1": false, "2001:db9::1": false, "192.0.2.66": false, "::ffff:192.0.2.66": false,
		"2001:db8:0:6::1": false, "2001:db8:0:6:5::1": false, "2001:db8:0:7::1": true, "192.0.2.77": true, "": false,
	} {
		address, _ := netip.ParseAddr(client)
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/auth/v1/verify", Client: address})
		require.Equal(t, let, refusal == nil, client)
		if !let {
			require.Equal(t, http.StatusForbidden, refusal.Status)
		}
		_, refusal = gateway.Route(dataplane.Request{Host: string(blog) + ".localhost", Target: "/auth/v1/verify", Client: address})
		require.NotNil(t, refusal, "an empty list lets nobody in")
	}
}
