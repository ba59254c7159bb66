// Command pg-meta-crypto is the Kong plugin in front of postgres-meta, under /api/platform/pg-meta. It checks the caller,
// replaces the connection token that Studio sends by the project's own connection string, encrypted for postgres-meta, and
// lets Kong proxy.
//
// Kong runs it. By hand, -routes lists what it lets through, with the permission that each needs.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/gateway"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/store"
)

// settings are the plugin's environment variables.
type settings struct {
	store.Settings
	Identity  identity.Settings
	CryptoKey string `env:"PG_META_CRYPTO_KEY,required,notEmpty"` // postgres-meta's own CRYPTO_KEY
}

// Check names the settings that are wrong.
func (s settings) Check() error { return s.Identity.Check() }

var printRoutes = flag.Bool("routes", false, "Print every route with its permission and where its answer comes from, tab-separated")

// Prepared once a process: Kong drops a plugin's instances whenever it likes, and what they hold with them.
var (
	log      = gateway.NewLog()
	failures = identity.NewFailures(time.Now)
	gate     *pgmeta.Gate
)

// Config is what `config:` of the plugin in kong.platform.yml holds.
type Config gateway.Config

// Access lets the request through to postgres-meta, or refuses it.
func (c *Config) Access(kong *pdk.PDK) { gateway.Admit(kong, gateway.Config(*c), log, failures, gate) }

func main() {
	flag.Parse()
	if *printRoutes {
		fmt.Println(strings.Join(pgmeta.Routes(), "\n"))
		return
	}
	gateway.Main(func() any { return &Config{} }, prepare)
}

func prepare(ctx context.Context) error {
	s, err := gateway.Settings[settings]()
	if err != nil {
		return err
	}
	opened, err := gateway.OpenStore(ctx, s.Settings, store.WithMemory())
	if err != nil {
		return err
	}
	gate = &pgmeta.Gate{
		Authenticator: identity.New(opened, s.Identity, time.Now),
		Projects:      opened,
		Tokens:        pgmeta.NewTokens(s.MasterKey, rand.Reader, time.Now, s.PreviousMasterKey),
		CryptoKey:     s.CryptoKey,
	}
	return nil
}
