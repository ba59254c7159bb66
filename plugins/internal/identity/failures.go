package identity

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/plurabase/plurabase/store"
)

const (
	// failuresAtOnce is how many bad tokens an address may send at once. A page of Studio sends some thirty requests, and all
	// of them fail when the session has ended.
	failuresAtOnce = 60
	// failuresPerSecond is how many more it may send from then on.
	failuresPerSecond = 1
	// countedAddresses bounds the memory: what so many addresses at most, the latest, do is counted.
	countedAddresses = 10_000
)

// Limit counts how often each address does something. It is safe for concurrent use.
type Limit struct {
	limits    *lru.Cache[netip.Prefix, *rate.Limiter]
	perSecond rate.Limit
	atOnce    int
	now       func() time.Time
}

// NewFailures returns a limit for the bad tokens that an address sends. What has a good token is not to be counted.
func NewFailures(now func() time.Time) *Limit {
	return NewLimit(now, failuresPerSecond, failuresAtOnce)
}

// NewLimit returns a limit that lets each address do something so many times at once, and then so often.
func NewLimit(now func() time.Time, perSecond rate.Limit, atOnce int) *Limit {
	limits, err := lru.New[netip.Prefix, *rate.Limiter](countedAddresses)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &Limit{limits: limits, perSecond: perSecond, atOnce: atOnce, now: now}
}

// Count counts once more for an address. Where that is too many, it returns how long the address has to wait until it may
// again; otherwise zero.
func (f *Limit) Count(address netip.Addr) time.Duration {
	now := f.now()
	next := f.limit(address).ReserveN(now, 1)
	wait := next.DelayFrom(now)
	if wait > 0 {
		next.CancelAt(now) // what is refused does not make the wait longer
	}
	return wait
}

func (f *Limit) limit(address netip.Addr) *rate.Limiter {
	network := store.NetworkOf(address)
	if limit, ok := f.limits.Get(network); ok {
		return limit
	}
	limit := rate.NewLimiter(f.perSecond, f.atOnce)
	if first, ok, _ := f.limits.PeekOrAdd(network, limit); ok {
		return first // another request was quicker
	}
	return limit
}
