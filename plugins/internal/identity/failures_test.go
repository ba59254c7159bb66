package identity_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/identity"
)

// failuresAtOnce is how many bad tokens an address may send before it has to wait.
const failuresAtOnce = 60

func TestAnAddressThatSendsTooManyBadTokensHasToWait(t *testing.T) {
	t.Parallel()
	clock := now
	failures := identity.NewFailures(func() time.Time { return clock })
	here, elsewhere := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	for range failuresAtOnce {
		require.Zero(t, failures.Count(here))
	}
	require.Equal(t, time.Second, failures.Count(here))
	require.Equal(t, time.Second, failures.Count(here), "what is refused does not make the wait longer")
	require.Zero(t, failures.Count(elsewhere))

	clock = clock.Add(time.Second)
	require.Zero(t, failures.Count(here))
	require.Equal(t, time.Second, failures.Count(here))
	clock = clock.Add(time.Hour)
	for range failuresAtOnce {
		require.Zero(t, failures.Count(here))
	}
	require.NotZero(t, failures.Count(here), "patience earns no more than a fresh start")
}

func TestAClientIsItsNetwork(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		first, second string
		same          bool
	}{
		"an IPv4 address written as IPv6":    {"203.0.113.7", "::ffff:203.0.113.7", true},
		"the neighbour of an IPv4 address":   {"203.0.113.7", "203.0.113.6", false},
		"two addresses of one IPv6 network":  {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		"two IPv6 networks":                  {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		"an IPv6 address with another zone":  {"fe80::1%eth0", "fe80::1%eth1", true},
		"an IPv6 network and an old address": {"::", "0.0.0.0", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failures := identity.NewFailures(func() time.Time { return now })
			for range failuresAtOnce {
				require.Zero(t, failures.Count(netip.MustParseAddr(test.first)))
			}
			require.Equal(t, test.same, failures.Count(netip.MustParseAddr(test.second)) > 0)
		})
	}
}

func TestOnlySoManyAddressesAreRemembered(t *testing.T) {
	t.Parallel()
	failures := identity.NewFailures(func() time.Time { return now })
	first := netip.MustParseAddr("198.51.100.1")
	for range failuresAtOnce {
		require.Zero(t, failures.Count(first))
	}
	require.NotZero(t, failures.Count(first))
	other := netip.MustParseAddr("10.0.0.0")
	for range 10_000 {
		other = other.Next()
		require.Zero(t, failures.Count(other))
	}
	require.Zero(t, failures.Count(first), "10,000 others came since")
}
