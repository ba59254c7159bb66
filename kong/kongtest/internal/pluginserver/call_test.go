package pluginserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event answers every PDK call with its own arguments.
type event struct{ held []io.Closer }

func (*event) Ask(method string, arguments []byte) ([]byte, error) {
	if method == "refused" {
		return nil, errRefused
	}
	return arguments, nil
}

func (e *event) Hold(c io.Closer) { e.held = append(e.held, c) }

var errRefused = errors.New("refused")

// The plugin's end waits much longer than Kong's, so that it is always Kong's whose time is up.
const (
	timeout  = time.Second
	patience = time.Minute
)

// plugin is what the other end of a connection does in a test. It gets the call, and returns to close the connection.
type plugin func(t *testing.T, c *conn, call *kong_plugin_protocol.RpcCall)

// setup makes a server without a process, whose connections the plugin handles.
func setup(t *testing.T, behave plugin) *Server {
	t.Helper()
	directory, err := os.MkdirTemp("", "call")
	require.NoError(t, err)
	path := filepath.Join(directory, "plugin.socket")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			serve(t, &conn{Conn: accepted, timeout: patience}, behave)
		}
	}()
	s := &Server{pool: &pool{path: path, timeout: timeout}, logger: slog.New(slog.DiscardHandler)}
	s.instances = newInstances(s)
	t.Cleanup(func() {
		s.pool.close()
		_ = listener.Close()
		<-done
		_ = os.RemoveAll(directory)
	})
	return s
}

func serve(t *testing.T, c *conn, behave plugin) {
	defer func() { _ = c.Close() }()
	for {
		frame, err := c.readFrame()
		if err != nil {
			return
		}
		call := new(kong_plugin_protocol.RpcCall)
		if proto.Unmarshal(frame, call) != nil {
			return
		}
		if call.GetCmdStartInstance() != nil {
			reply(t, c, &kong_plugin_protocol.RpcReturn{Sequence: call.Sequence, Return: &kong_plugin_protocol.RpcReturn_InstanceStatus{
				InstanceStatus: &kong_plugin_protocol.InstanceStatus{InstanceId: 7},
			}})
			continue
		}
		behave(t, c, call)
		return
	}
}

func reply(t *testing.T, c *conn, result *kong_plugin_protocol.RpcReturn) {
	data, err := proto.Marshal(result)
	if err == nil {
		err = c.writeFrame(data)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestEventThatGoesWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		behave plugin
		want   string
	}{
		"another call's answer": {func(t *testing.T, c *conn, call *kong_plugin_protocol.RpcCall) {
			_ = c.writeFrame(nil)
			reply(t, c, &kong_plugin_protocol.RpcReturn{Sequence: call.Sequence + 1})
		}, "does not fit the call"},
		"no message": {func(_ *testing.T, c *conn, _ *kong_plugin_protocol.RpcCall) {
			_ = c.writeFrame(nil)
			_ = c.writeFrame([]byte{0xff})
		}, "decode the plugin's answer"},
		"a frame beyond measure": {func(_ *testing.T, c *conn, _ *kong_plugin_protocol.RpcCall) {
			_, _ = c.Write(binary.LittleEndian.AppendUint32(nil, maxFrame+1))
		}, "a frame of 268435457 bytes"},
		"a call that is refused": {func(_ *testing.T, c *conn, _ *kong_plugin_protocol.RpcCall) {
			_ = c.writeFrame([]byte("refused"))
			_ = c.writeFrame(nil)
			_, _ = c.readFrame() // There is no answer.
		}, "refused"},
		"silence": {func(_ *testing.T, c *conn, _ *kong_plugin_protocol.RpcCall) {
			_, _ = io.Copy(io.Discard, c)
		}, "i/o timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, test.behave)
			e := &event{}
			err := s.Handle(t.Context(), Instance{Key: "k", Seq: 1, Config: []byte("{}")}, "access", e)
			require.ErrorContains(t, err, test.want)
			require.Len(t, e.held, 1, "the connection lives until the request ends")
			require.NoError(t, e.held[0].Close())
		})
	}
}

func TestClosedConnectionMakesTheCallStartOver(t *testing.T) {
	t.Parallel()
	calls := 0
	s := setup(t, func(t *testing.T, c *conn, call *kong_plugin_protocol.RpcCall) {
		calls++
		if calls < 3 {
			return
		}
		_ = c.writeFrame(nil)
		reply(t, c, &kong_plugin_protocol.RpcReturn{Sequence: call.Sequence})
	})
	e := &event{}
	require.NoError(t, s.Handle(t.Context(), Instance{Key: "k", Seq: 1, Config: []byte("{}")}, "access", e))
	require.Len(t, e.held, 2)
	for _, c := range e.held {
		require.NoError(t, c.Close())
	}
}

func TestCallEndsWithItsContextWhenThePluginIsGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := setup(t, func(*testing.T, *conn, *kong_plugin_protocol.RpcCall) { cancel() })
	e := &event{}
	err := s.Handle(ctx, Instance{Key: "k", Seq: 1, Config: []byte("{}")}, "access", e)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, e.held[0].Close())
}

func TestPluginsOutputBecomesLines(t *testing.T) {
	t.Parallel()
	var lines []string
	w := &lineWriter{line: func(line string) { lines = append(lines, line) }}
	for _, part := range []string{"one\ntw", "o\r\n\n", "three"} {
		_, err := io.WriteString(w, part)
		require.NoError(t, err)
	}
	w.flush()
	require.Equal(t, []string{"one", "two", "three"}, lines)
	_, err := w.Write(make([]byte, 2*maxLine+1))
	require.NoError(t, err)
	require.Len(t, lines, 4, "a line without an end does not fill the memory")
}
