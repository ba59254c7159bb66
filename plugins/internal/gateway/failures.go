package gateway

import (
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// refuseFailures counts a token that was not good, and answers with 429 where its client has sent too many of those. It
// tells whether it answered. The client's address costs a round trip to Kong: only here is it asked for, after a
// check has failed.
func refuseFailures(kong *pdk.PDK, log *slog.Logger, failures *identity.Failures) bool {
	wait := countFailure(kong, log, failures)
	if wait == 0 {
		return false
	}
	p := problem.New(http.StatusTooManyRequests, "Too many requests with an invalid token. Sign in again, and wait a moment.")
	kong.Response.Exit(p.Status, p.JSON(), map[string][]string{
		"Content-Type": {"application/json"},
		"Retry-After":  {strconv.Itoa(int(math.Ceil(wait.Seconds())))},
	})
	return true
}

func countFailure(kong *pdk.PDK, log *slog.Logger, failures *identity.Failures) time.Duration {
	text, err := kong.Client.GetForwardedIp()
	if err != nil {
		log.Error("the client's address could not be read", "error", err.Error())
		return 0
	}
	address, err := netip.ParseAddr(text)
	if err != nil { // a client on a unix socket has none
		return 0
	}
	return failures.Count(address)
}
