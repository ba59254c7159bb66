package dataplane

import (
	"context"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/plurabase/plurabase/store"
)

// BanRules say when a client that guesses at a project's secret keys is turned away from it.
//
// Wrong publishable and anon keys count for nothing: they are in every page and app, and an office behind one address, in
// which one old app runs, is not to be shut out. Neither does a wrong secret key that comes again: who guesses tries others, and
// a server that still has one that was revoked guesses at nothing.
type BanRules struct {
	After    int           // so many different wrong keys; 0: nobody is banned
	Window   time.Duration // for so long a wrong key counts
	Duration time.Duration // and for so long the client is turned away
	// Exempt are never banned: the addresses of proxies, behind which everybody is. Neither are this machine's own.
	Exempt []netip.Prefix
}

// spares tells whether an address is one that many may have, or that nobody has.
func (r BanRules) exempts(address netip.Addr) bool {
	return !address.IsValid() || address.IsLoopback() || address.IsUnspecified() || address.IsLinkLocalUnicast() ||
		slices.ContainsFunc(r.Exempt, func(one netip.Prefix) bool { return one.Contains(address) })
}

const (
	// countedClients bounds the memory: what so many clients at most, the latest, try is counted.
	countedClients = 10_000
	// bansAtOnce is how many bans may wait to be written down. One more is found again with the client's next wrong key.
	bansAtOnce = 100
	// banTimeout is the deadline for writing one down.
	banTimeout = 5 * time.Second
)

// guesses counts the wrong secret keys of each client, and finds those that are to be banned. Each node counts for itself.
type guesses struct {
	rules BanRules
	seed  maphash.Seed
	found chan ban

	mutex   sync.Mutex
	clients *simplelru.LRU[guesser, []guess]
}

// guesser is a client as one project sees it.
type guesser struct {
	project int64
	network netip.Prefix
}

type guess struct {
	key uint64 // a hash, so that no key is kept
	at  int64  // in Unix nanoseconds
}

type ban struct {
	project *project
	address netip.Addr
	until   time.Time
}

func newGuesses(rules BanRules) *guesses {
	clients, err := simplelru.NewLRU[guesser, []guess](countedClients, nil)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &guesses{rules: rules, seed: maphash.MakeSeed(), found: make(chan ban, bansAtOnce), clients: clients}
}

// count notes a wrong secret key. It is on the way of requests that are refused, and waits for nothing.
func (g *guesses) count(p *project, client netip.Addr, key string, now time.Time) {
	client = client.Unmap().WithZone("")
	if g.rules.After == 0 || g.rules.exempts(client) || !g.isTooMany(p.ID, client, key, now) {
		return
	}
	select {
	case g.found <- ban{p, client, now.Add(g.rules.Duration)}:
	default:
	}
}

func (g *guesses) isTooMany(project int64, client netip.Addr, key string, now time.Time) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	who, hash := guesser{project, store.NetworkOf(client)}, maphash.String(g.seed, key)
	made, _ := g.clients.Get(who)
	made = slices.DeleteFunc(made, func(one guess) bool { return one.key == hash || now.UnixNano()-one.at >= int64(g.rules.Window) })
	made = append(made, guess{hash, now.UnixNano()})
	if len(made) < g.rules.After {
		g.clients.Add(who, made)
		return false
	}
	g.clients.Add(who, made[1:]) // no longer than it has to be, and the next one is too many again
	return true
}

// WriteBans writes down whom the gateway found guessing, until ctx ends. Postgres tells every node, this one too.
func (g *Gateway) WriteBans(ctx context.Context) {
	for {
		select {
		case found := <-g.guesses.found:
			g.writeBan(ctx, found)
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gateway) writeBan(ctx context.Context, b ban) {
	ctx, cancel := context.WithTimeout(ctx, banTimeout)
	defer cancel()
	made, err := g.table.source.BanFromProject(ctx, b.project.ID, b.address, b.until)
	if err != nil {
		g.log.Warn("a ban could not be written down", "project", b.project.Ref, "error", err.Error())
	}
	if made {
		g.log.Warn("an address that tried several wrong secret keys is banned", "project", b.project.Ref, "address", b.address, "until", b.until)
	}
}
