package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/plurabase/plurabase/plugins/internal/server"
)

// bundle is a server that runs, and what a test needs of it.
type bundle struct {
	socket string
	stop   context.CancelFunc
	ended  chan error
	log    *bytes.Buffer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	directory, err := os.MkdirTemp("", "server") // t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	b := &bundle{socket: filepath.Join(directory, "plugin.socket"), ended: make(chan error, 1), log: &bytes.Buffer{}}
	listener, err := server.Listen(b.socket)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	s := server.New(newConfig, slog.New(slog.NewTextHandler(b.log, nil)))
	go func() { b.ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() { stop(); <-b.ended }) //nolint:errcheck // it only has to have ended
	return b
}

// kong stands in for Kong on one connection, and keeps every frame that the plugin sends.
type kong struct {
	t    *testing.T
	conn net.Conn
	got  [][]byte
}

func dial(t *testing.T, socket string) *kong {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	t.Cleanup(func() { _ = conn.Close() })
	return &kong{t: t, conn: conn}
}

func (k *kong) send(frame []byte) {
	k.t.Helper()
	_, err := k.conn.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	require.NoError(k.t, err)
}

func (k *kong) sendMessage(message proto.Message) {
	k.t.Helper()
	frame, err := proto.Marshal(message)
	require.NoError(k.t, err)
	k.send(frame)
}

func (k *kong) receive() []byte {
	k.t.Helper()
	var size uint32
	require.NoError(k.t, binary.Read(k.conn, binary.LittleEndian, &size))
	frame := make([]byte, size)
	_, err := io.ReadFull(k.conn, frame)
	require.NoError(k.t, err)
	k.got = append(k.got, frame)
	return frame
}

func (k *kong) startInstance(id int, do string) {
	k.t.Helper()
	k.sendMessage(&kong_plugin_protocol.RpcCall{Sequence: 7, Call: &kong_plugin_protocol.RpcCall_CmdStartInstance{
		CmdStartInstance: &kong_plugin_protocol.CmdStartInstance{
			Name: "plugin", Config: fmt.Appendf(nil, `{"do":%q,"__seq__":%d}`, do, id),
		},
	}})
	var status kong_plugin_protocol.RpcReturn
	require.NoError(k.t, proto.Unmarshal(k.receive(), &status))
	require.Equal(k.t, int32(id), status.GetInstanceStatus().InstanceId)
	require.NotZero(k.t, status.GetInstanceStatus().StartedAt)
	// The one thing that differs from run to run.
	status.GetInstanceStatus().StartedAt = 0
	frame, err := proto.Marshal(&status)
	require.NoError(k.t, err)
	k.got[len(k.got)-1] = frame
}

func (k *kong) handle(id int) {
	k.t.Helper()
	k.sendMessage(&kong_plugin_protocol.RpcCall{Sequence: 8, Call: &kong_plugin_protocol.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &kong_plugin_protocol.CmdHandleEvent{InstanceId: int32(id), EventName: "access"},
	}})
}

// finish reads what ends an event: an empty frame and the call's result.
func (k *kong) finish() {
	k.t.Helper()
	require.Empty(k.t, k.receive())
	var result kong_plugin_protocol.RpcReturn
	require.NoError(k.t, proto.Unmarshal(k.receive(), &result))
	require.Equal(k.t, int64(8), result.Sequence)
}

// ended tells that the plugin closed the connection.
func (k *kong) ended() {
	k.t.Helper()
	_, err := k.conn.Read(make([]byte, 1))
	require.ErrorIs(k.t, err, io.EOF)
}

// talk has one conversation with everything in it that Kong says to a plugin.
func talk(t *testing.T, socket string) [][]byte {
	t.Helper()
	k := dial(t, socket)
	k.startInstance(1, "ask")
	k.startInstance(2, "exit")
	for range 2 {
		k.handle(1)
		require.Equal(t, "kong.nginx.get_var", string(k.receive()))
		k.receive()
		k.sendMessage(&kong_plugin_protocol.String{V: "a value"})
		require.Equal(t, "kong.ctx.shared.set", string(k.receive()))
		k.receive()
		k.send(nil)
		k.finish()
	}
	k.sendMessage(&kong_plugin_protocol.RpcCall{Sequence: 9, Call: &kong_plugin_protocol.RpcCall_CmdCloseInstance{
		CmdCloseInstance: &kong_plugin_protocol.CmdCloseInstance{InstanceId: 1},
	}})
	var closed kong_plugin_protocol.RpcReturn
	require.NoError(t, proto.Unmarshal(k.receive(), &closed))
	require.Equal(t, int32(1), closed.GetInstanceStatus().InstanceId)
	k.got = k.got[:len(k.got)-1] // it has the time of the start in it

	k.handle(2)
	require.Equal(t, "kong.response.exit", string(k.receive()))
	k.receive()
	return k.got
}

func TestTheBytesAreGoPDKs(t *testing.T) {
	b := setup(t)
	theirs := startGoPDK(t)
	require.Equal(t, talk(t, theirs), talk(t, b.socket))
}

func TestKongIsToldWhatGoPDKTells(t *testing.T) {
	t.Parallel()
	executable, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), executable, "-dump", "-kong-prefix", "/kong")
	command.Env = append(os.Environ(), asGoPDK+"=1")
	theirs, err := command.Output()
	require.NoError(t, err)
	name := filepath.Base(executable)
	ours, err := server.Dump(newConfig, name, "/kong/"+name+".socket", "1", 1)
	require.NoError(t, err)
	require.JSONEq(t, string(theirs), string(ours))
}

func TestASettingThatKongHasNoWordForIsRefused(t *testing.T) {
	t.Parallel()
	_, err := server.Dump(func() any { return &struct{ Since time.Time }{} }, "plugin", "/kong/plugin.socket", "1", 1)
	require.ErrorContains(t, err, "Since")
}

// startGoPDK runs the same plugin behind go-pdk's own server, and returns its socket.
func startGoPDK(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "gopdk")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	executable, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(executable, "-kong-prefix", directory)
	command.Env = append(os.Environ(), asGoPDK+"=1")
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	socket := filepath.Join(directory, filepath.Base(executable)+".socket")
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)
	return socket
}

func TestAMissingInstanceOrPhaseClosesTheConnection(t *testing.T) {
	b := setup(t)
	k := dial(t, b.socket)
	k.handle(99)
	k.ended() // Kong starts the instance then

	k = dial(t, b.socket)
	k.startInstance(1, "")
	k.sendMessage(&kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &kong_plugin_protocol.CmdHandleEvent{InstanceId: 1, EventName: "log"},
	}})
	k.ended()
}

func TestWhatIsNoFrameIsNotBelieved(t *testing.T) {
	b := setup(t)
	k := dial(t, b.socket)
	_, err := k.conn.Write([]byte("GET / HTTP/1.1\r\n"))
	require.NoError(t, err)
	k.ended()
}

func TestAPanicIsAnAnswerAndNoMore(t *testing.T) {
	b := setup(t)
	k := dial(t, b.socket)
	k.startInstance(1, "panic")
	k.handle(1)
	require.Equal(t, "kong.response.exit", string(k.receive()))
	var exit kong_plugin_protocol.ExitArgs
	require.NoError(t, proto.Unmarshal(k.receive(), &exit))
	require.Equal(t, int32(500), exit.Status)
	require.NotContains(t, string(exit.Body), "on purpose")
	require.NoError(t, k.conn.Close()) // as Kong does

	k = dial(t, b.socket)
	k.startInstance(2, "")
	k.handle(2)
	k.finish()
}

func TestAfterTheLastCallKongNeedNotWait(t *testing.T) {
	b := setup(t)
	k := dial(t, b.socket)
	k.startInstance(1, "ask last")
	for range 2 {
		k.handle(1)
		require.Equal(t, "kong.ctx.shared.set", string(k.receive()))
		k.receive()
		k.finish() // before the plugin was answered
		k.send(nil)
	}
	b.stop()
	b.ended <- <-b.ended
	require.Equal(t, 2, strings.Count(b.log.String(), "cause=\"on purpose\""), b.log.String())
}

func TestItEndsAfterTheRequestsThatAreUnderWay(t *testing.T) {
	b := setup(t)
	idle, busy := dial(t, b.socket), dial(t, b.socket)
	idle.startInstance(1, "")
	busy.startInstance(2, "hold")
	busy.handle(2)
	<-arrived
	b.stop()
	idle.ended()
	select {
	case <-b.ended: //nolint:errcheck // it only has to have ended
		t.Fatal("it did not wait for the request")
	default:
	}
	close(goOn)
	busy.finish()
	busy.ended()
	err := <-b.ended
	require.NoError(t, err)
	b.ended <- err // for the clean-up
	_, err = net.Dial("unix", b.socket)
	require.Error(t, err)
}

func TestANewProcessTakesTheSocketOver(t *testing.T) {
	b := setup(t)
	k := dial(t, b.socket)
	k.startInstance(1, "")
	next, err := server.Listen(b.socket)
	require.NoError(t, err)
	var taken atomic.Bool
	go func() {
		if conn, err := next.Accept(); err == nil {
			taken.Store(true)
			_ = conn.Close()
		}
	}()
	k.handle(1) // the old one still answers on the old connection
	k.finish()
	b.stop()
	b.ended <- <-b.ended
	dial(t, b.socket).ended()
	require.True(t, taken.Load(), "the old one left the new one's socket alone")
	require.NoError(t, next.Close())
}
