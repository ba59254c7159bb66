package gateway

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// refuseFailures counts a token that was not good, and answers with 429 where its client has sent too many of those. It
// tells whether it answered. Where the client's address costs a round trip to Kong, only here is it asked for, after a
// check has failed.
func (x *Exchange) refuseFailures(request *http.Request, failures *identity.Limit) bool {
	wait := x.countFailure(request, failures)
	if wait == 0 {
		return false
	}
	p := problem.New(http.StatusTooManyRequests, "Too many requests with an invalid token. Sign in again, and wait a moment.")
	x.Answer(p.Status, http.Header{
		"Content-Type": {"application/json"},
		"Retry-After":  {strconv.Itoa(int(math.Ceil(wait.Seconds())))},
	}, p.JSON())
	return true
}

func (x *Exchange) countFailure(request *http.Request, failures *identity.Limit) time.Duration {
	if known, err := netip.ParseAddrPort(request.RemoteAddr); err == nil {
		return failures.Count(known.Addr())
	}
	text, err := x.kong.Client.GetForwardedIp()
	if err != nil {
		x.log.Error("the client's address could not be read", "error", err.Error())
		return 0
	}
	address, err := netip.ParseAddr(text)
	if err != nil { // a client on a unix socket has none
		return 0
	}
	return failures.Count(address)
}
