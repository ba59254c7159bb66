package kong_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/kong/render"
)

// everyPlugin does something to every plugin of the platform's services.
func everyPlugin(o *kongtest.Options, do func(*render.Plugin)) {
	for _, service := range o.Config.Services {
		for i := range service.Plugins {
			do(&service.Plugins[i])
		}
	}
}

func TestTheSecondGuardSpeaksWhereNoPluginDid(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *kongtest.Options) {
		everyPlugin(o, func(p *render.Plugin) { p.Enabled = p.Enabled && o.Plugins[p.Name] == "" })
	})
	for _, path := range []string{"/api/platform/profile", "/api/v1/projects", "/api/platform/pg-meta/abcdefghijklmnopqrst/tables"} {
		refused := b.signedIn(http.MethodGet, path, "")
		require.Equal(t, http.StatusServiceUnavailable, refused.status, path)
		require.Equal(t, "The platform is not available", refused.json(t)["message"])
	}
	require.Zero(t, b.asked.Load())
}

// withoutHandOver makes a gateway that knows nothing of the variable and of the post-function.
func withoutHandOver(o *kongtest.Options) {
	o.ProxySet = nil
	for i := range o.Config.Services {
		plugins := &o.Config.Services[i].Plugins
		*plugins = slices.DeleteFunc(*plugins, func(p render.Plugin) bool { return p.Name == "post-function" })
	}
	everyPlugin(o, func(p *render.Plugin) {
		if o.Plugins[p.Name] != "" {
			p.Config = nil
		}
	})
}

// TestTheHandOverIsNotNeeded: a gateway that knows nothing of the variable and of the post-function gets the same answers.
func TestTheHandOverIsNotNeeded(t *testing.T) {
	t.Parallel()
	without := setup(t, withoutHandOver)
	with := setup(t)
	for _, b := range []*bundle{with, without} {
		require.Equal(t, "ada@example.com", b.signedIn(http.MethodGet, "/api/platform/profile", "").json(t)["primary_email"])
		require.Equal(t, http.StatusUnauthorized, b.send(http.MethodGet, "/api/platform/profile", "").status)
		ref := b.project()
		project := b.signedIn(http.MethodGet, "/api/platform/projects/"+ref, "")
		token := project.json(t)["connectionString"].(string)
		passed := b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`, "x-connection-encrypted", token, "Cookie", "a=b")
		require.Equal(t, http.StatusOK, passed.status, string(passed.body))
		asked := passed.json(t)
		require.Equal(t, "/query", asked["path"])
		require.NotContains(t, asked["headers"], "Authorization")
		require.NotContains(t, asked["headers"], "Cookie")
		require.Equal(t, "application/json", project.header.Get("Content-Type"))
	}
}
