// Package server runs a Kong plugin: it takes Kong's connections and calls the plugin's phases, in the place of the server
// in Kong/go-pdk and over the same protocol, of which it uses the messages and the plugin development kit.
//
// What it does otherwise: a frame is one write and one read, not two; a panic costs one request, not the process;
// and it ends when it is told to, after the requests that are under way.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/Kong/go-pdk"
	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// grace is how long requests that are under way have, when the process is to end: what Kong itself waits.
const grace = 10 * time.Second

// Server is a plugin's side of Kong's plugin protocol.
type Server struct {
	instances *instances
	log       *slog.Logger

	mutex  sync.Mutex
	open   map[*conn]struct{}
	served sync.WaitGroup
}

// New returns a Server of the plugin whose configurations newConfig makes; their methods are its phases.
func New(newConfig func() any, log *slog.Logger) *Server {
	return &Server{instances: newInstances(newConfig), log: log, open: map[*conn]struct{}{}}
}

// Listen takes the socket over from whoever has it: the process before this one, or nobody any more.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("take the socket over: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	// By the time that this process ends the socket of that name may be its successor's.
	listener.SetUnlinkOnClose(false)
	return listener, nil
}

// Serve answers Kong until ctx ends, and then lets the requests that are under way finish.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		accepted, err := listener.Accept()
		if ctx.Err() != nil {
			s.drain()
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		s.serve(newConn(accepted))
	}
}

// serve answers one connection in the background.
func (s *Server) serve(c *conn) {
	s.mutex.Lock()
	s.open[c] = struct{}{}
	s.mutex.Unlock()
	s.served.Go(func() {
		err := s.answer(c)
		s.mutex.Lock()
		delete(s.open, c)
		s.mutex.Unlock()
		c.release()
		if err != nil && !over(err) {
			s.log.Error("Kong's call failed", "error", err.Error())
		}
	})
}

// over tells the usual ends of a connection: Kong closes it when the plugin has answered by Exit, and when it is idle.
func over(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || isReset(err)
}

func (s *Server) drain() {
	s.mutex.Lock()
	for c := range s.open {
		c.end()
	}
	s.mutex.Unlock()
	finished := make(chan struct{})
	go func() {
		s.served.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(grace):
		s.log.Warn("requests were cut off: they took too long to finish")
	}
}

// answer answers the calls of one connection, one after the other.
func (s *Server) answer(c *conn) error {
	kong := pdk.Init(c)
	connOf.Store(kong, c)
	defer connOf.Delete(kong)
	buffer := make([]byte, 0, 256) // a call is some bytes long, but for that which brings a configuration
	for {
		frame, err := c.readFrame(buffer)
		if err != nil {
			return err
		}
		if !c.begin() {
			return nil // Kong finds the connection closed, and asks the process that comes after this one
		}
		if err := s.call(c, kong, frame); err != nil {
			return err
		}
		if err := c.out.Flush(); err != nil {
			return err
		}
		if !c.rest() {
			return nil
		}
	}
}

// call answers one call. An error ends the connection, which for Kong means to start over with a new instance.
func (s *Server) call(c *conn, kong *pdk.PDK, frame []byte) error {
	var call kong_plugin_protocol.RpcCall
	if err := proto.Unmarshal(frame, &call); err != nil {
		return fmt.Errorf("decode the call: %w", err)
	}
	result := kong_plugin_protocol.RpcReturn{Sequence: call.Sequence}
	switch command := call.Call.(type) {
	case *kong_plugin_protocol.RpcCall_CmdHandleEvent:
		return s.handle(c, kong, command.CmdHandleEvent, &result)
	case *kong_plugin_protocol.RpcCall_CmdStartInstance:
		started, err := s.instances.start(command.CmdStartInstance.Config)
		if err != nil {
			return err
		}
		result.Return = statusOf(command.CmdStartInstance.Name, started)
	case *kong_plugin_protocol.RpcCall_CmdGetInstanceStatus:
		found, err := s.instances.find(command.CmdGetInstanceStatus.InstanceId)
		if err != nil {
			return err
		}
		result.Return = statusOf(noName, found)
	case *kong_plugin_protocol.RpcCall_CmdCloseInstance:
		gone, err := s.instances.close(command.CmdCloseInstance.InstanceId)
		if err != nil {
			return err
		}
		result.Return = statusOf(noName, gone)
	case *kong_plugin_protocol.RpcCall_CmdGetPluginNames, *kong_plugin_protocol.RpcCall_CmdGetPluginInfo:
		return c.writeFrame(nil) // as go-pdk has it; Kong asks for the dump instead
	default:
		return fmt.Errorf("the call has the unexpected type %T", command)
	}
	answer, err := proto.Marshal(&result)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return c.writeFrame(answer)
}

// noName is what go-pdk calls an instance whose plugin it does not look up.
const noName = "---"

func statusOf(name string, i *instance) *kong_plugin_protocol.RpcReturn_InstanceStatus {
	return &kong_plugin_protocol.RpcReturn_InstanceStatus{InstanceStatus: &kong_plugin_protocol.InstanceStatus{
		Name: name, InstanceId: i.id, StartedAt: i.started.Unix(),
	}}
}

// handle runs one phase, and ends it: an empty frame says that the plugin asks nothing more, and then comes the call's result.
func (s *Server) handle(c *conn, kong *pdk.PDK, event *kong_plugin_protocol.CmdHandleEvent, result proto.Message) error {
	found, err := s.instances.find(event.InstanceId)
	if err != nil {
		return err
	}
	phase, ok := found.phases[event.EventName]
	if !ok {
		return fmt.Errorf("undefined method %s", event.EventName)
	}
	answer, err := proto.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	c.last, c.ending = false, appendFrame(appendFrame(nil, nil), answer)
	s.run(c, kong, phase)
	c.last = false
	_, err = c.Write(c.ending) // nothing, where it left with the last call
	return err
}

// run keeps a panic to its request. Nothing is let through then: Kong answers 500. A closed connection would not do, for
// Kong runs the request again then, and would for ever.
func (s *Server) run(c *conn, kong *pdk.PDK, phase func(*pdk.PDK)) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			c.forget()
			if c.ending == nil {
				return // Kong has gone on
			}
			kong.Response.Exit(http.StatusInternalServerError, []byte(`{"message":"Something went wrong on the server."}`),
				map[string][]string{"Content-Type": {"application/json"}})
		}
	}()
	phase(kong)
}
