package identity

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// failuresAtOnce is how many bad tokens an address may send at once. A page of Studio sends some thirty requests, and all
	// of them fail when the session has ended.
	failuresAtOnce = 60
	// failuresPerSecond is how many more it may send from then on.
	failuresPerSecond = 1
	// failureAddresses bounds the memory: of so many addresses at most, the latest, failures are counted.
	failureAddresses = 10_000
)

// Failures counts the bad tokens that each address sends. What has a good token is never counted. It is safe for
// concurrent use.
type Failures struct {
	limits *lru.Cache[netip.Prefix, *rate.Limiter]
	now    func() time.Time
}

// NewFailures returns a count that starts at nothing.
func NewFailures(now func() time.Time) *Failures {
	limits, err := lru.New[netip.Prefix, *rate.Limiter](failureAddresses)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &Failures{limits: limits, now: now}
}

// Count counts one more bad token from an address. Where that is too many, it returns how long the address has to wait until
// another one is looked at; otherwise zero.
func (f *Failures) Count(address netip.Addr) time.Duration {
	now := f.now()
	next := f.limit(address).ReserveN(now, 1)
	wait := next.DelayFrom(now)
	if wait > 0 {
		next.CancelAt(now) // what is refused does not make the wait longer
	}
	return wait
}

func (f *Failures) limit(address netip.Addr) *rate.Limiter {
	network := networkOf(address)
	if limit, ok := f.limits.Get(network); ok {
		return limit
	}
	limit := rate.NewLimiter(failuresPerSecond, failuresAtOnce)
	if first, ok, _ := f.limits.PeekOrAdd(network, limit); ok {
		return first // another request was quicker
	}
	return limit
}

// networkOf returns what one client has: an IPv4 address, or all of an IPv6 network of 64 bits.
func networkOf(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // fails for no address only, and then returns none
	return network
}
