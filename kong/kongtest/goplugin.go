package kongtest

import (
	"errors"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/kong/kongtest/internal/pluginserver"
)

// errExited ends an event whose plugin has answered the request: Kong never answers that call.
var errExited = errors.New("the plugin has answered")

// goPlugin runs a plugin's phases in its own process.
type goPlugin struct {
	name     string
	server   *pluginserver.Server
	instance pluginserver.Instance
}

// run fails closed: whatever goes wrong with the plugin, the request is answered and not proxied.
func (g *goPlugin) run(x *exchange, p phase) {
	if !slices.Contains(g.server.Info.Phases, p.String()) {
		return
	}
	err := g.server.Handle(x.host.ctx, g.instance, p.String(), x)
	if err == nil || errors.Is(err, errExited) {
		return
	}
	x.logger.Error("plugin failed", "plugin", g.name, "phase", p.String(), "error", err)
	if p != logging {
		x.fail(http.StatusInternalServerError, "An unexpected error occurred")
	}
}
