package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

// metaSettings say by which postgres-meta a project's secret key opens its database, at /pg.
type metaSettings struct {
	Serve     bool   `env:"PLURABASE_PROJECT_PG_META" envDefault:"true"`
	URL       string `env:"PLURABASE_PG_META_URL"`
	CryptoKey string `env:"PG_META_CRYPTO_KEY"` // postgres-meta's own CRYPTO_KEY
}

func (s metaSettings) check() error {
	if !s.Serve || s.URL == "" {
		return nil
	}
	if s.CryptoKey == "" {
		return errors.New("PLURABASE_PG_META_URL needs PG_META_CRYPTO_KEY, which is postgres-meta's own CRYPTO_KEY")
	}
	// Kong speaks HTTP to the projects' services, and to this one.
	if address, err := url.Parse(s.URL); err != nil || address.Scheme != "http" || address.Hostname() == "" || !isPort(address.Port()) || address.Path != "" && address.Path != "/" {
		return errors.New("PLURABASE_PG_META_URL has to be http://host:port, or PLURABASE_PROJECT_PG_META false")
	}
	return nil
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

func (s metaSettings) meta() dataplane.PostgresMeta {
	address, err := url.Parse(s.URL)
	if !s.Serve || s.URL == "" || err != nil {
		return dataplane.PostgresMeta{}
	}
	return dataplane.PostgresMeta{Target: newName(address).find, CryptoKey: s.CryptoKey}
}

// lookedUpFor is how long a name's address is used before it is looked up anew: a container that was made again may have another.
const lookedUpFor = 5 * time.Second

// name is a name that is looked up when it is needed.
type name struct {
	host string
	port uint16

	mutex   sync.Mutex
	address netip.Addr
	until   time.Time
}

func newName(address *url.URL) *name {
	port, _ := strconv.ParseUint(address.Port(), 10, 16) // check has seen to it
	if port == 0 {
		port = 80
	}
	return &name{host: address.Hostname(), port: uint16(port)}
}

// find returns the address, the last known where none can be had.
func (n *name) find() (netip.AddrPort, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if time.Now().After(n.until) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", n.host)
		switch {
		case err == nil && len(found) > 0:
			n.address, n.until = found[0].Unmap(), time.Now().Add(lookedUpFor)
		case !n.address.IsValid():
			return netip.AddrPort{}, fmt.Errorf("look %s up: %w", n.host, err)
		default:
			n.until = time.Now().Add(lookedUpFor)
		}
	}
	return netip.AddrPortFrom(n.address, n.port), nil
}
