package server_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/Kong/go-pdk"
	gopdk "github.com/Kong/go-pdk/server"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/server"
)

// asGoPDK makes the test's own executable a plugin behind go-pdk's server.
const asGoPDK = "SERVER_TEST_AS_GO_PDK"

func TestMain(m *testing.M) {
	if os.Getenv(asGoPDK) != "" {
		if err := gopdk.StartServer(newConfig, "1", 1); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// config is a plugin's configuration; do says what its one phase does.
type config struct {
	Do string `json:"do"`
}

func newConfig() any { return &config{} }

// held lets a test hold a request, and look when it is there.
var (
	arrived = make(chan struct{})
	goOn    = make(chan struct{})
)

func (c *config) Access(kong *pdk.PDK) {
	switch c.Do {
	case "ask":
		value, err := kong.Nginx.GetVar("plurabase")
		if err == nil {
			err = kong.Ctx.SetShared("answer", value+" and "+value)
		}
		if err != nil {
			panic(err)
		}
	case "ask last":
		server.Last(kong)
		if err := kong.Ctx.SetShared("answer", "a value"); err != nil {
			panic(err)
		}
		if err := kong.Ctx.SetShared("answer", "another"); err == nil {
			panic("what comes after the last call is not refused")
		}
		panic("on purpose")
	case "exit":
		kong.Response.Exit(201, []byte("body"), map[string][]string{"X-One": {"1"}})
	case "panic":
		panic("on purpose")
	case "hold":
		arrived <- struct{}{}
		<-goOn
	}
}
