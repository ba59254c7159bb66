package pgproxy_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
)

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *pgproxy.Settings) { s.Connections, s.ProjectConnections = 3, 2 })
	first := w.connect(w.config(asShop))
	w.connect(w.config(asShop))
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "53300", refusal.Code)
	require.Contains(t, refusal.Message, "this project")
	w.decide(func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal) {
		other := w.shop()
		other.Ref = blog
		return other, nil
	})
	w.connect(w.config(asShop))
	refusal = w.refused(w.config(asShop))
	require.Equal(t, "53300", refusal.Code)
	require.Contains(t, refusal.Message, "the gateway")
	require.NoError(t, first.Close(t.Context()))
	require.Eventually(t, func() bool { // the place is free once both sides have closed
		conn, err := pgx.ConnectConfig(t.Context(), w.config(asShop))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
}

func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	t.Parallel()
	w := bare(t, func(p *pgproxy.Proxy) { p.Hurry(100 * time.Millisecond) })
	for name, sent := range map[string][]byte{
		"half a length": {0, 0}, "half a packet": packet(3<<16, "user\x00")[:10], "half of TLS": append(packet(80877103, ""), 0x16, 3, 1),
	} {
		require.LessOrEqual(t, len(w.say(sent)), 1, name)
	}
}

func TestWhoSaysNothingKeepsNobodyOutThatIsOpen(t *testing.T) {
	t.Parallel()
	w := arrange(t)
	w.begin(func(p *pgproxy.Proxy) { p.Hurry(time.Minute) }) // on a busy machine all of them take longer than they may otherwise
	open := w.connect(w.config(asShop))
	for range pgproxy.MaxOpening + 20 { // in whichever order they are taken, all places are
		conn, err := net.Dial("tcp", w.address)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
	}
	require.Eventually(t, func() bool {
		conn, err := pgx.ConnectConfig(t.Context(), w.config(asShop))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err != nil
	}, 30*time.Second, time.Millisecond)
	require.Equal(t, "1", asked(t, open, "select '1'"))
}
