package store_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func TestProjectsGetSubnetsOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	pool := store.SubnetPool{Pool: prefix("10.1.0.0/26"), Bits: 28}
	avoid := []netip.Prefix{prefix("10.1.0.16/30"), prefix("fd00::/8")}
	allocate := func() (*store.Claim, netip.Prefix, error) {
		l.create()
		claim := l.claim()
		subnet, err := claim.Subnet(t.Context(), pool, avoid)
		return claim, subnet, err
	}
	first, subnet, err := allocate()
	require.NoError(t, err)
	require.Equal(t, prefix("10.1.0.0/28"), subnet)
	again, err := first.Subnet(t.Context(), pool, []netip.Prefix{subnet})
	require.NoError(t, err)
	require.Equal(t, subnet, again, "what it has, it keeps")

	second, subnet, err := allocate()
	require.NoError(t, err)
	require.Equal(t, prefix("10.1.0.32/28"), subnet, "what overlaps another network is left alone")
	require.NoError(t, second.LeaveSubnet(t.Context()))
	subnet, err = second.Subnet(t.Context(), pool, avoid)
	require.NoError(t, err)
	require.Equal(t, prefix("10.1.0.48/28"), subnet, "what was found taken is left alone")

	_, _, err = allocate()
	var exhausted *store.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Equal(t, "no /28 subnet is free in 10.1.0.0/26: widen PLURABASE_SUBNET_POOL.", exhausted.Error())
}

func TestProjectsGetPortsOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ports := store.PortRange{First: 25000, Last: 25002}
	allocate := func() (*store.Claim, uint16, error) {
		l.create()
		claim := l.claim()
		port, err := claim.Port(t.Context(), "db", ports)
		return claim, port, err
	}
	first, port, err := allocate()
	require.NoError(t, err)
	require.Equal(t, uint16(25000), port)
	again, err := first.Port(t.Context(), "db", ports)
	require.NoError(t, err)
	require.Equal(t, port, again, "what it has, it keeps")

	require.NoError(t, first.LeavePorts(t.Context()))
	port, err = first.Port(t.Context(), "db", ports)
	require.NoError(t, err)
	require.Equal(t, uint16(25001), port, "what was found taken is left alone")
	_, port, err = allocate()
	require.NoError(t, err)
	require.Equal(t, uint16(25002), port)

	third, _, err := allocate()
	var exhausted *store.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Equal(t, "no port is free between 25000 and 25002: widen PLURABASE_PORT_RANGE.", exhausted.Error())

	l.execute(`update platform.target_taken set seen_at = seen_at - $1::interval`, time.Hour)
	port, err = third.Port(t.Context(), "db", ports)
	require.NoError(t, err)
	require.Equal(t, uint16(25000), port, "after an hour it may be free again")
}
