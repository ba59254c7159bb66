package stack

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// firstService is the place of the first service's address in a subnet: 0 is the subnet itself, 1 the host.
const firstService = 2

// MaxSubnetBits is the longest prefix of a subnet in whose lower half there is an address for every service.
const MaxSubnetBits = 27

// ServiceAddress is the address that a service has in a project's subnet: what the gateway proxies to, which cannot look names
// up. The lower half of the subnet is the services', so that nothing that joins the network later can have taken one.
func ServiceAddress(subnet netip.Prefix, service string) netip.Addr {
	place := slices.IndexFunc(catalog, func(d declaration) bool { return d.name == service })
	if place < 0 {
		return netip.Addr{}
	}
	return offset(subnet, firstService+uint32(place)) //nolint:gosec // the catalog is short
}

// upperHalf is where the engine takes the addresses of all others from.
func upperHalf(subnet netip.Prefix) netip.Prefix {
	bits := subnet.Bits() + 1
	return netip.PrefixFrom(offset(subnet, 1<<(32-bits)), bits)
}

// offset returns the address at a place in an IPv4 subnet.
func offset(subnet netip.Prefix, place uint32) netip.Addr {
	first := subnet.Masked().Addr().As4()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(first[:])+place)))
}
