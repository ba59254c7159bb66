// Command platform-api is the Kong plugin that answers Studio's platform API and the management API, under
// /api/platform, /api/v1 and /api/v2.
//
// Kong runs it. By hand it prints what it would answer: -routes lists every route with the permission that it needs,
// -openapi prints the OpenAPI document, -reference the reference in docs. Its settings are environment variables; see settings.go.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/api"
	"github.com/plurabase/plurabase/plugins/internal/gateway"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/plugins/internal/keysets"
	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/store"
)

var (
	printRoutes    = flag.Bool("routes", false, "Print every route with its permission and where its answer comes from, tab-separated")
	printOpenAPI   = flag.Bool("openapi", false, "Print the OpenAPI 3.1 document of every route")
	printReference = flag.Bool("reference", false, "Print docs/api.md: every route for people to read")
)

// Prepared once a process: Kong drops a plugin's instances whenever it likes, and what they hold with them.
var (
	log      = gateway.NewLog()
	failures = identity.NewFailures(time.Now)
	answer   *api.API
)

// Config is what `config:` of the plugin in kong.platform.yml holds.
type Config gateway.Config

// Access answers the request.
func (c *Config) Access(kong *pdk.PDK) {
	gateway.Serve(kong, gateway.Config(*c), log, failures, answer)
}

func main() {
	flag.Parse()
	switch {
	case *printRoutes:
		fmt.Println(strings.Join(api.New(api.Dependencies{}).Routes(), "\n"))
	case *printReference:
		fmt.Print(api.New(api.Dependencies{}).Reference())
	case *printOpenAPI:
		document, err := api.New(api.Dependencies{}).OpenAPI()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = os.Stdout.Write(document)
	default:
		gateway.Main(func() any { return &Config{} }, prepare)
	}
}

func prepare(ctx context.Context) error {
	s, err := gateway.Settings[settings]()
	if err != nil {
		return err
	}
	offered, err := instance.Load(s.InstanceFile)
	if err != nil {
		return err
	}
	opened, err := gateway.OpenStore(ctx, s.Settings, store.WithMemory(), store.WithWelcome(offered.Welcome))
	if err != nil {
		return err
	}
	sender, err := mail.New(s.Mail)
	if err != nil {
		return err
	}
	if offered.Feedback != "" && sender == nil {
		return errors.New("PLURABASE_INSTANCE_FILE: feedback goes by mail, and needs PLURABASE_SMTP_HOST")
	}
	keySets := keysets.New()
	go keysets.Renew(ctx, opened, keySets, time.Now, log)
	answer = api.New(api.Dependencies{ //nolint:contextcheck // each request brings its own
		Settings:      s.api(offered),
		Store:         opened,
		Authenticator: identity.New(opened, s.Identity, time.Now),
		GoTrue:        s.goTrue(),
		Mail:          sender,
		Tokens:        pgmeta.NewTokens(s.MasterKey, rand.Reader, time.Now, s.PreviousMasterKey),
		PgMeta:        s.pgMeta(),
		KeySets:       keySets,
		CompareSchemas: func(ctx context.Context, asked schemadiff.Request) (string, error) {
			program, err := schemadiff.Program()
			if err != nil {
				return "", err
			}
			return schemadiff.Run(ctx, program, asked)
		},
		Log: log,
	})
	return nil
}
