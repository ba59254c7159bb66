package kongtest

import (
	"fmt"
	"sync"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	lua "github.com/yuin/gopher-lua"
	"google.golang.org/protobuf/types/known/structpb"
)

// postFunctionPriority makes post-function run last of all (PRIORITY in its handler.lua).
const postFunctionPriority = -1000

// postFunction is Kong's plugin post-function (kong/plugins/pre-function) in the phase access. It runs the very Lua of the
// configuration, in a Lua of Go's that knows as much of the PDK as kong() below has: another name is an error, which
// answers 500, as an error in Kong's own Lua does.
type postFunction struct {
	states sync.Pool // of *luaState: one Lua runs one request at a time
}

func newPostFunction(config map[string]any) (*postFunction, error) {
	var read struct {
		Access []string `json:"access"`
	}
	if err := decodeConfig(config, &read); err != nil {
		return nil, err
	}
	// The first one shows whether the text can be compiled.
	first, err := newLuaState(read.Access)
	if err != nil {
		return nil, err
	}
	f := &postFunction{}
	f.states.New = func() any {
		again, err := newLuaState(read.Access)
		if err != nil { // it compiled a moment ago
			panic(err)
		}
		return again
	}
	f.states.Put(first)
	return f, nil
}

func (f *postFunction) run(x *exchange, p phase) {
	if p != access {
		return
	}
	state := f.states.Get().(*luaState)
	defer f.states.Put(state)
	if err := state.run(x); err != nil && x.answer == nil {
		x.logger.Error("plugin failed", "plugin", "post-function", "error", err)
		x.fail(500, "An unexpected error occurred")
	}
}

// luaState is a Lua with the compiled functions of one configuration.
type luaState struct {
	*lua.LState
	functions []*lua.LFunction
	x         *exchange // the request that is running
}

func newLuaState(chunks []string) (*luaState, error) {
	s := &luaState{LState: lua.NewState(lua.Options{SkipOpenLibs: true})}
	lua.OpenBase(s.LState)
	lua.OpenString(s.LState)
	lua.OpenTable(s.LState)
	lua.OpenMath(s.LState)
	for _, name := range []string{"collectgarbage", "dofile", "getfenv", "load", "loadfile", "loadstring", "module", "require", "setfenv"} {
		s.SetGlobal(name, lua.LNil) // Kong's sandbox has none of them
	}
	s.SetGlobal("kong", s.kong())
	for i, chunk := range chunks {
		function, err := s.compile(chunk)
		if err != nil {
			return nil, fmt.Errorf("access[%d]: %w", i, err)
		}
		s.functions = append(s.functions, function)
	}
	return s, nil
}

// compile returns what is to run with every request: the function that a chunk returns, once it has run by itself.
func (s *luaState) compile(chunk string) (*lua.LFunction, error) {
	loaded, err := s.LoadString(chunk)
	if err != nil {
		return nil, err
	}
	s.Push(loaded)
	if err := s.PCall(0, 1, nil); err != nil {
		return nil, err
	}
	returned, ok := s.Get(-1).(*lua.LFunction)
	s.Pop(1)
	if !ok {
		return nil, fmt.Errorf("kongtest runs chunks that return a function, and no others")
	}
	return returned, nil
}

func (s *luaState) run(x *exchange) error {
	s.x = x
	defer func() { s.x = nil }()
	for _, function := range s.functions {
		s.Push(function)
		if err := s.PCall(0, 0, nil); err != nil {
			return err
		}
		if x.answer != nil {
			return nil
		}
	}
	return nil
}

// kong is Lua's `kong`.
func (s *luaState) kong() *lua.LTable {
	shared := s.NewTable()
	s.SetMetatable(shared, s.tableOf(map[string]lua.LValue{"__index": s.NewFunction(func(l *lua.LState) int {
		l.Push(luaValue(s.x.shared[l.CheckString(2)]))
		return 1
	})}))
	request := s.tableOf(map[string]lua.LValue{
		"set_path": s.function(func(l *lua.LState) error {
			return s.x.setPath(&kong_plugin_protocol.String{V: l.CheckString(1)})
		}),
		"set_header": s.function(func(l *lua.LState) error {
			return s.x.setRequestHeader(&kong_plugin_protocol.KV{K: l.CheckString(1), V: structpb.NewStringValue(l.CheckString(2))})
		}),
		"clear_header": s.function(func(l *lua.LState) error {
			return s.x.clearRequestHeader(&kong_plugin_protocol.String{V: l.CheckString(1)})
		}),
		"set_scheme": s.function(func(l *lua.LState) error {
			return s.x.setScheme(&kong_plugin_protocol.String{V: l.CheckString(1)})
		}),
	})
	service := s.tableOf(map[string]lua.LValue{
		"request": request,
		"set_target": s.function(func(l *lua.LState) error {
			return s.x.setTarget(&kong_plugin_protocol.Target{Host: l.CheckString(1), Port: int32(l.CheckInt(2))}) //nolint:gosec // checked there
		}),
	})
	return s.tableOf(map[string]lua.LValue{
		"ctx":      s.tableOf(map[string]lua.LValue{"shared": shared}),
		"response": s.tableOf(map[string]lua.LValue{"exit": s.function(s.exit)}),
		"service":  service,
	})
}

// exit ends the request: in Kong nothing that follows runs any more.
func (s *luaState) exit(l *lua.LState) error {
	headers := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	if table, ok := l.Get(3).(*lua.LTable); ok {
		table.ForEach(func(name, value lua.LValue) {
			headers.Fields[name.String()] = structpb.NewStringValue(value.String())
		})
	}
	return s.x.exit(&kong_plugin_protocol.ExitArgs{
		Status: int32(l.CheckInt(1)), Body: []byte(l.OptString(2, "")), Headers: headers, //nolint:gosec // checked there
	})
}

// function makes a Lua function; what it returns as an error ends the request's Lua.
func (s *luaState) function(f func(*lua.LState) error) *lua.LFunction {
	return s.NewFunction(func(l *lua.LState) int {
		if err := f(l); err != nil {
			l.RaiseError("%s", err.Error())
		}
		return 0
	})
}

func (s *luaState) tableOf(entries map[string]lua.LValue) *lua.LTable {
	table := s.NewTable()
	for name, value := range entries {
		table.RawSetString(name, value)
	}
	return table
}

// luaValue is what Lua sees of a shared value: texts, numbers and true; other values are not handed over to Lua here.
func luaValue(value *structpb.Value) lua.LValue {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return lua.LString(kind.StringValue)
	case *structpb.Value_NumberValue:
		return lua.LNumber(kind.NumberValue)
	case *structpb.Value_BoolValue:
		return lua.LBool(kind.BoolValue)
	default:
		return lua.LNil
	}
}
