package kongtest

import (
	"context"
	"log/slog"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/types/known/structpb"
)

// contextMethods are kong.ctx, kong.nginx, kong.log, kong.node and kong.ip (exposed_api in Kong's plugin.lua).
var contextMethods = map[string]method{
	"kong.ctx.shared.set": tell(anyPhase, func(x *exchange, given *kong_plugin_protocol.KV) error {
		return store(x.shared, given)
	}),
	"kong.ctx.shared.get": ask(anyPhase, func(x *exchange, name *kong_plugin_protocol.String) ([]byte, error) {
		return load(x.shared, name)
	}),
	"kong.nginx.set_ctx": tell(anyPhase, func(x *exchange, given *kong_plugin_protocol.KV) error {
		return store(x.nginxCtx, given)
	}),
	"kong.nginx.get_ctx": ask(anyPhase, func(x *exchange, name *kong_plugin_protocol.String) ([]byte, error) {
		return load(x.nginxCtx, name)
	}),
	"kong.nginx.get_var": ask(requestPhases, func(x *exchange, name *kong_plugin_protocol.String) ([]byte, error) {
		return encodeText(x.variable(name.V)), nil
	}),
	"kong.nginx.get_subsystem": text(anyPhase, func(*exchange) string { return "http" }),
	"kong.nginx.req_start_time": get(anyPhase, func(x *exchange) ([]byte, error) {
		return encodeNumber(float64(x.started.UnixMilli()) / 1000), nil
	}),
	"kong.node.get_id": text(anyPhase, func(x *exchange) string { return x.host.id }),
	// No proxy in front of the host is trusted.
	"kong.ip.is_trusted": ask(anyPhase, func(*exchange, *kong_plugin_protocol.String) ([]byte, error) { return nil, nil }),

	"kong.log.debug":  logMethod(slog.LevelDebug),
	"kong.log.info":   logMethod(slog.LevelInfo),
	"kong.log.notice": logMethod(slog.LevelInfo + 2),
	"kong.log.warn":   logMethod(slog.LevelWarn),
	"kong.log.err":    logMethod(slog.LevelError),
	"kong.log.crit":   logMethod(slog.LevelError + 2),
	"kong.log.alert":  logMethod(slog.LevelError + 4),
}

// store keeps a value. Kong's decoder takes false for nothing, which removes the value (structpb_value in pb_rpc.lua).
func store(values map[string]*structpb.Value, given *kong_plugin_protocol.KV) error {
	if kind, ok := given.V.GetKind().(*structpb.Value_BoolValue); ok && !kind.BoolValue {
		delete(values, given.K)
		return nil
	}
	values[given.K] = given.V
	return nil
}

func load(values map[string]*structpb.Value, name *kong_plugin_protocol.String) ([]byte, error) {
	value, ok := values[name.V]
	if !ok {
		value = structpb.NewNullValue()
	}
	return encodeMessage(value)
}

// logMethod writes the plugin's arguments one behind the other, as Kong does.
func logMethod(level slog.Level) method {
	return tell(anyPhase, func(x *exchange, arguments *structpb.ListValue) error {
		var line strings.Builder
		for _, argument := range arguments.Values {
			line.WriteString(luaText(argument))
		}
		x.logger.Log(context.Background(), level, line.String(), "source", "plugin")
		return nil
	})
}
