package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"strings"

	"github.com/docker/docker/api/types/network"
)

// Subnets implements engine.Engine. Beside Docker's own networks it knows the host's routes, where the daemon is on this host
// and the provisioner sees them: Docker itself does not look at them when it is told a subnet.
func (e *Engine) Subnets(ctx context.Context) ([]netip.Prefix, error) {
	list, err := e.client.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the networks: %w", translate(err))
	}
	var subnets []netip.Prefix
	for _, summary := range list {
		for _, config := range summary.IPAM.Config {
			if subnet, err := netip.ParsePrefix(config.Subnet); err == nil { // a plugin's own driver may have none
				subnets = append(subnets, subnet)
			}
		}
	}
	if strings.HasPrefix(e.client.DaemonHost(), "unix://") {
		subnets = append(subnets, hostRoutes()...)
	}
	return subnets, nil
}

// routeTable is the kernel's IPv4 routes, on Linux.
const routeTable = "/proc/net/route"

func hostRoutes() []netip.Prefix {
	table, err := os.Open(routeTable)
	if err != nil { // not Linux: Docker runs in a machine of its own there
		return nil
	}
	defer func() { _ = table.Close() }()
	return parseRoutes(table)
}

// widestRoute is the shortest prefix of a route that takes its addresses. A wider one, as a VPN's of all of 10.0.0.0/8, is for
// what has no nearer route, as a project's network has.
const widestRoute = 16

// parseRoutes reads the destinations of a route table: hexadecimal numbers in the host's own byte order (proc(5)).
func parseRoutes(table io.Reader) (routes []netip.Prefix) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text()) // Iface Destination Gateway Flags RefCnt Use Metric Mask …
		if len(fields) < 8 {
			continue
		}
		destination, known := parseWord(fields[1])
		mask, masked := parseWord(fields[7])
		if length := bits.OnesCount32(mask); known && masked && length >= widestRoute {
			address := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, destination)))
			routes = append(routes, netip.PrefixFrom(address, length).Masked())
		}
	}
	return routes
}

func parseWord(text string) (word uint32, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return 0, false
	}
	// The text is the number as it stands in memory, printed from its highest digit on.
	return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, binary.BigEndian.Uint32(raw))), true
}
