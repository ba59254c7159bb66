package main

import (
	"errors"
	"net"
	"net/url"

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
	if address, err := url.Parse(s.URL); err != nil || address.Scheme != "http" || address.Hostname() == "" || address.Path != "" && address.Path != "/" {
		return errors.New("PLURABASE_PG_META_URL has to be http://host:port, or PLURABASE_PROJECT_PG_META false")
	}
	return nil
}

func (s metaSettings) meta() dataplane.PostgresMeta {
	address, err := url.Parse(s.URL)
	if !s.Serve || s.URL == "" || err != nil {
		return dataplane.PostgresMeta{}
	}
	port := address.Port()
	if port == "" {
		port = "80"
	}
	return dataplane.PostgresMeta{Target: net.JoinHostPort(address.Hostname(), port), CryptoKey: s.CryptoKey}
}
