package dataplane_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

// follow lets a gateway read an access log, to which what it returns sends a line.
func follow(t *testing.T, gateway *dataplane.Gateway) func(line string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gateway.FollowAccessLog(ctx, log)
	}()
	nginx, err := net.Dial("unixgram", path)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, nginx.Close())
		cancel()
		<-ended
	})
	return func(line string) {
		t.Helper()
		_, err := nginx.Write([]byte(line))
		require.NoError(t, err)
	}
}

// accessLine is what nginx tells of a request to the project shop.
func accessLine(target, agent, sent, upstream string) string {
	return strings.Join([]string{
		"<190>Mar  1 12:00:00 nginx: 1772366400.123", "0123456789abcdef0123456789abcdef", "192.0.2.7", shopHost, "GET", target, agent,
		"321", "200", sent, "0.250", "0.100", upstream,
	}, "\t")
}

func TestWhatNginxSentIsCountedForTheProjectItWasOf(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, table := open(t, s)
	tell := follow(t, gateway)
	storage := shopProject().Targets[store.ServiceStorage]
	for _, line := range []string{
		accessLine("/", "", "1000", storage.String()), accessLine("/", "", "34", "10.9.9.9:1, "+storage.String()),
		accessLine("/", "", "77", "10.200.0.1:3000"), accessLine("/", "", "5", ""), accessLine("/", "", "-5", storage.String()),
		"nonsense", "", fmt.Sprintf("<190>Mar  1 12:00:00 nginx: %s 1000", storage),
	} {
		tell(line)
	}
	require.Eventually(t, func() bool {
		table.Flush(t.Context(), now)
		var sum int64
		for _, one := range s.traffic {
			require.Equal(t, store.ServiceStorage, one.Service)
			sum += one.Egress
		}
		return sum == 1034
	}, 30*time.Second, time.Millisecond)
}

// logged waits for so many requests to be written down, and returns them.
func logged(t *testing.T, s *projects, table *dataplane.Table, count int) []store.EdgeRequest {
	t.Helper()
	require.Eventually(t, func() bool {
		table.Flush(t.Context(), now)
		return len(s.edgeLog) >= count
	}, 30*time.Second, time.Millisecond)
	require.Len(t, s.edgeLog, count)
	return s.edgeLog
}

func TestRequestsAreLoggedOfTheProjectTheyAreTo(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, table := open(t, s)
	tell := follow(t, gateway)
	upstream := shopProject().Targets[store.ServiceRest].String()
	tell(accessLine("/rest/v1/todos?select=*", `curl \"8\"\u0000`, "1000", "10.9.9.9:1, "+upstream))
	// Refused, by the path form; and what is of no project.
	tell(strings.Replace(accessLine("/p/"+string(shop)+"/auth/v1/token", "", "5", ""), shopHost, "studio.example.com", 1))
	tell(strings.Replace(accessLine("/rest/v1/todos", "", "5", upstream), shopHost, string(blog)+".localhost", 1))
	tell(accessLine("/rest/v1/../../secrets", "", "5", ""))
	requests := logged(t, s, table, 2)
	require.Equal(t, store.EdgeRequest{
		ProjectID: 1, At: time.UnixMilli(1772366400123), RequestID: "0123456789abcdef0123456789abcdef", Client: netip.MustParseAddr("192.0.2.7"),
		Host: shopHost, Method: "GET", Path: "/rest/v1/todos", Search: "?select=*", UserAgent: `curl "8"`,
		Received: 321, Status: 200, Sent: 1000, Took: 250 * time.Millisecond, Origin: 100 * time.Millisecond,
	}, requests[0])
	require.Equal(t, []string{"/auth/v1/token", "studio.example.com"}, []string{requests[1].Path, requests[1].Host})
}

func TestWhatOpensSomethingIsNotLogged(t *testing.T) {
	t.Parallel()
	for query, logged := range map[string]string{
		"apikey=" + publishable + "&select=id":       "?apikey=***&select=id",
		"token=abc&type=signup&redirect_to=/welcome": "?token=***&type=signup&redirect_to=/welcome",
		"X-Amz-Signature=ab&X-Amz-Credential=cd":     "?X-Amz-Signature=***&X-Amz-Credential=***",
		"code=ab&token_hash=cd&a%70ikey=ef":          "?code=***&token_hash=***&a%70ikey=***",
		"state=ab&nonce=cd&limit=1":                  "?state=***&nonce=***&limit=1",
		"vsn=1.0.0&x=eyJhbGciOiJIUzI1NiJ9.e30.x":     "?vsn=1.0.0&x=***",
		"x=" + secretKey + "&%zz=1&flag&key=":        "?x=***&%zz=***&flag&key=",
	} {
		s := newProjects(shopProject())
		gateway, table := open(t, s)
		follow(t, gateway)(accessLine("/rest/v1/todos?"+query, "", "5", ""))
		require.Equal(t, logged, loggedSearch(t, s, table), query)
	}
}

func loggedSearch(t *testing.T, s *projects, table *dataplane.Table) string {
	t.Helper()
	return logged(t, s, table, 1)[0].Search
}

func TestAFloodIsLoggedInPart(t *testing.T) {
	t.Parallel()
	other := shopProject()
	other.ID, other.Ref = 2, blog
	s := newProjects(shopProject(), other)
	gateway, table := open(t, s)
	tell := follow(t, gateway)
	s.failing = true
	for range requestsKept + 5 {
		tell(accessLine("/rest/v1/todos", "", "5", ""))
	}
	tell(strings.Replace(accessLine("/rest/v1/last", "", "5", ""), shopHost, string(blog)+".localhost", 1))
	require.Eventually(t, func() bool { // what cannot be written down is put back each time, and leaves no more room
		table.Flush(t.Context(), now)
		return len(s.inVain) > 0 && s.inVain[len(s.inVain)-1].ProjectID == 2
	}, 30*time.Second, time.Millisecond)
	s.failing = false
	requests := logged(t, s, table, requestsKept+1)
	require.Equal(t, []int64{1, 1, 1, 2}, []int64{requests[0].ProjectID, requests[1].ProjectID, requests[2].ProjectID, requests[3].ProjectID})

	tell(accessLine("/rest/v1/"+strings.Repeat("a", 5000)+"?"+strings.Repeat("b", 5000), strings.Repeat("c", 5000), "5", ""))
	long := logged(t, s, table, requestsKept+2)[requestsKept+1]
	require.Equal(t, []int{1024, 1024, 1024}, []int{len(long.Path), len(long.Search), len(long.UserAgent)})
}
