package docker

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheHostsRoutesAreSubnetsInUse(t *testing.T) {
	t.Parallel()
	// As Linux prints it on a little-endian machine, which is what these tests run on.
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
tun0	0040D50A	00000000	0001	0	0	0	00C0FFFF	0	0	0
tun0	0100D50A	010200C0	0007	0	0	0	FFFFFFFF	0	0	0
tun2	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
nonsense
tun1	xyz	00000000	0001	0	0	0	00C0FFFF	0	0	0
`
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("10.213.64.0/18"), netip.MustParsePrefix("10.213.0.1/32"),
	}, parseRoutes(strings.NewReader(table)))
}
