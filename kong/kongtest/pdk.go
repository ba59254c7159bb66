package kongtest

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// method is one PDK call that plugins may make.
type method struct {
	phases phase // Where Kong allows it.
	answer func(x *exchange, arguments []byte) ([]byte, error)
}

// Sets of phases that Kong's PDK files name. Kong runs the log phase in a timer, in which nginx has no request any more:
// there only what Kong has put aside is left.
const (
	requestPhases = rewrite | access | response
	anyPhase      = requestPhases | logging
	changePhases  = rewrite | access
	routedPhases  = access | response | logging
	answerPhases  = response | logging
)

// methods are the PDK calls, by the names that the protocol uses.
var methods = merge(requestMethods, responseMethods, serviceMethods, contextMethods)

func merge(tables ...map[string]method) map[string]method {
	all := map[string]method{}
	for _, table := range tables {
		for name, m := range table {
			all[name] = m
		}
	}
	return all
}

// Ask answers one PDK call of the plugin that is running.
func (x *exchange) Ask(name string, arguments []byte) ([]byte, error) {
	m, ok := methods[name]
	if !ok {
		return nil, fmt.Errorf("method %q is not known to Kong, or not to this stand-in", name)
	}
	if m.phases&x.phase == 0 {
		return nil, fmt.Errorf("%s: function cannot be called in %s phase", name, x.phase)
	}
	answer, err := m.answer(x, arguments)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return answer, nil
}

// message is a pointer to a protobuf message.
type message[T any] interface {
	*T
	proto.Message
}

// get makes a method without arguments.
func get(phases phase, f func(x *exchange) ([]byte, error)) method {
	return method{phases, func(x *exchange, _ []byte) ([]byte, error) { return f(x) }}
}

// ask makes a method with an argument that has an answer.
func ask[T any, M message[T]](phases phase, f func(x *exchange, argument M) ([]byte, error)) method {
	return method{phases, func(x *exchange, data []byte) ([]byte, error) {
		argument := M(new(T))
		if err := proto.Unmarshal(data, argument); err != nil {
			return nil, fmt.Errorf("decode the arguments: %w", err)
		}
		return f(x, argument)
	}}
}

// tell makes a method with an argument and an empty answer.
func tell[T any, M message[T]](phases phase, f func(x *exchange, argument M) error) method {
	return ask(phases, func(x *exchange, argument M) ([]byte, error) { return nil, f(x, argument) })
}

// text makes a method that answers with a text that never fails.
func text(phases phase, f func(x *exchange) string) method {
	return get(phases, func(x *exchange) ([]byte, error) { return encodeText(f(x)), nil })
}

// integer makes a method that answers with a number.
func integer(phases phase, f func(x *exchange) int) method {
	return get(phases, func(x *exchange) ([]byte, error) { return encodeInteger(f(x)), nil })
}
