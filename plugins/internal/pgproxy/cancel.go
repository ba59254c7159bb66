package pgproxy

import (
	"context"
	"io"
	"net/netip"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// cancels are the keys by which clients cancel what they asked for, of the connections that are open: a cancellation comes on a
// connection of its own, which says nothing but the key. The databases of two projects might give the same key to two clients at once;
// with 32 bits of it drawn at random, and as many connections as there may be, that is left to chance.
type cancels struct {
	mutex sync.Mutex
	held  map[string]*held
}

// held is the database that has given a key.
type held struct{ address netip.AddrPort }

// keep keeps a key until forget is called.
func (c *cancels) keep(key string, address netip.AddrPort) (forget func()) {
	mine := &held{address}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.held[key] = mine
	return func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if c.held[key] == mine {
			delete(c.held, key)
		}
	}
}

func (c *cancels) find(key string) (netip.AddrPort, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if found, ok := c.held[key]; ok {
		return found.address, true
	}
	return netip.AddrPort{}, false
}

// cancel passes a cancellation on to the database that has given its key. As Postgres does, it says nothing about it.
func (p *Proxy) cancel(ctx context.Context, request *pgproto3.CancelRequest) {
	encoded, err := request.Encode(nil)
	if err != nil {
		count("protocol")
		return
	}
	address, ok := p.cancels.find(string(encoded[2*codeSize:]))
	if !ok {
		count("cancel_unknown")
		return
	}
	count("cancel")
	db, err := p.dial(ctx, address, request)
	if err != nil {
		p.log.Warn("a cancellation could not be passed on", "error", err.Error())
		return
	}
	defer func() { _ = db.Close() }()
	_, _ = io.Copy(io.Discard, db) // it closes when it has done so, and clients wait for that; dial has set a deadline
}
