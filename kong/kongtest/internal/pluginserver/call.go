package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// ErrClosed says that the plugin closed the connection in the middle of a call. go-pdk does so when it does not know the
// instance, and the kernel when the process dies.
var ErrClosed = errors.New("the plugin closed the connection")

// Event is what a plugin's phase runs for: it answers what the plugin asks.
type Event interface {
	// Ask answers one PDK call. An error ends the event: the plugin gets no answer.
	Ask(method string, arguments []byte) (answer []byte, err error)
	// Hold takes over the connection of an event that has ended early. It is to be closed when the request has ended;
	// until then the plugin waits for its answer.
	Hold(io.Closer)
}

// sequence numbers all calls of this process.
var sequence atomic.Int64

// Handle runs one phase of an instance. When the plugin closes the connection it starts over, with a new instance, for
// as long as there is a process to connect to: so a phase may run twice (Rpc:handle_event in Kong's pb_rpc.lua).
func (s *Server) Handle(ctx context.Context, instance Instance, phase string, event Event) error {
	for {
		id, err := s.instances.id(ctx, instance)
		if err != nil {
			return err
		}
		err = s.handleOnce(ctx, id, phase, event)
		if !errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return err
		}
		s.logger.Warn("plugin call starts over", "phase", phase, "error", err)
		s.instances.reset()
	}
}

func (s *Server) handleOnce(ctx context.Context, id int32, phase string, event Event) error {
	c, err := s.pool.get(ctx)
	if err != nil {
		return err
	}
	call := &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &kong_plugin_protocol.CmdHandleEvent{InstanceId: id, EventName: phase},
	}}
	if err := s.exchange(c, call, event); err != nil {
		event.Hold(c)
		return err
	}
	s.pool.put(c)
	return nil
}

func (s *Server) exchange(c *conn, call *kong_plugin_protocol.RpcCall, event Event) error {
	if err := send(c, call); err != nil {
		return err
	}
	for {
		method, err := c.readFrame()
		if err != nil {
			return err
		}
		if len(method) == 0 {
			_, err := receive(c, call)
			return err
		}
		arguments, err := c.readFrame()
		if err != nil {
			return err
		}
		answer, err := event.Ask(string(method), arguments)
		if err != nil {
			return err
		}
		if err := c.writeFrame(answer); err != nil {
			return err
		}
	}
}

func (s *Server) startInstance(ctx context.Context, instance Instance) (int32, error) {
	result, err := s.command(ctx, &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdStartInstance{
		CmdStartInstance: &kong_plugin_protocol.CmdStartInstance{Name: s.Info.Name, Config: instance.Config},
	}})
	if err != nil {
		return 0, err
	}
	status := result.GetInstanceStatus()
	if status == nil {
		return 0, errNoReturn
	}
	return status.InstanceId, nil
}

func (s *Server) closeInstance(ctx context.Context, id int32) error {
	_, err := s.command(ctx, &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdCloseInstance{
		CmdCloseInstance: &kong_plugin_protocol.CmdCloseInstance{InstanceId: id},
	}})
	return err
}

// command makes a call during which the plugin asks nothing back.
func (s *Server) command(ctx context.Context, call *kong_plugin_protocol.RpcCall) (*kong_plugin_protocol.RpcReturn, error) {
	c, err := s.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := send(c, call); err != nil {
		_ = c.Close()
		return nil, err
	}
	result, err := receive(c, call)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	s.pool.put(c)
	return result, nil
}

func send(c *conn, call *kong_plugin_protocol.RpcCall) error {
	call.Sequence = sequence.Add(1)
	data, err := proto.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode a call: %w", err)
	}
	return c.writeFrame(data)
}

func receive(c *conn, call *kong_plugin_protocol.RpcCall) (*kong_plugin_protocol.RpcReturn, error) {
	data, err := c.readFrame()
	if err != nil {
		return nil, err
	}
	result := new(kong_plugin_protocol.RpcReturn)
	if err := proto.Unmarshal(data, result); err != nil {
		return nil, fmt.Errorf("decode the plugin's answer: %w", err)
	}
	if result.Sequence != call.Sequence {
		return nil, errNoReturn
	}
	return result, nil
}
