package store_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestTheLogOfRequestsIsKeptForADay(t *testing.T) {
	t.Parallel()
	now := storetest.Now
	s, _ := storetest.NewWithURL(t, store.WithClock(func() time.Time { return now }))
	request := func(projectID int64, path string) store.EdgeRequest {
		return store.EdgeRequest{
			ProjectID: projectID, At: now, RequestID: "r", Client: netip.MustParseAddr("2001:db8::7"), Host: "shop.localhost", Method: "GET",
			Path: path, Search: "?a=1", UserAgent: "curl", Received: 1 << 40, Status: 200, Sent: 7, Took: 1500 * time.Millisecond, Origin: time.Second,
		}
	}
	path := ""
	read := func(projectID int64, most int) []store.EdgeRequest {
		t.Helper()
		found, err := s.EdgeLog(t.Context(), projectID, path, now.Add(-48*time.Hour), now, most)
		require.NoError(t, err)
		for i := range found {
			found[i].At = found[i].At.UTC()
		}
		return found
	}
	require.NoError(t, s.AddEdgeLog(t.Context(), nil))
	first := request(1, "/first")
	first.Client = netip.Addr{} // one that nobody knows
	require.NoError(t, s.AddEdgeLog(t.Context(), []store.EdgeRequest{first, request(2, "/other")}))
	require.Equal(t, []store.EdgeRequest{first}, read(1, 10), "another project's are none of it")

	began := now
	for range 24 {
		now = now.Add(time.Hour)
		require.NoError(t, s.ForgetEdgeLog(t.Context()))
		require.NoError(t, s.AddEdgeLog(t.Context(), []store.EdgeRequest{request(1, "/later")}))
	}
	all := read(1, 100)
	require.Len(t, all, 25)
	require.Equal(t, request(1, "/later"), all[0], "the newest first")
	require.Equal(t, began, all[24].At, "a day later it is still there")
	require.Len(t, read(1, 3), 3)
	path = "/fir"
	require.Equal(t, []store.EdgeRequest{first}, read(1, 100), "of those paths alone")
	path = ""

	now = now.Add(time.Hour)
	require.NoError(t, s.ForgetEdgeLog(t.Context()))
	require.Len(t, read(1, 100), 24)
	require.Empty(t, read(2, 100))
}
