package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

const (
	enforced = `{"requestedConfig":{"database":true}}`
	optional = `{"requestedConfig":{"database":false}}`
)

func TestAProjectSaysWhetherItEnforcesTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/ssl-enforcement"
	states := func() (all []any) {
		current := w.object(owner, http.MethodGet, path, "")["currentConfig"].(map[string]any)["database"]
		settings := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/settings", "")["ssl_enforced"]
		pooler := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/config/pgbouncer", "")["ssl_enforced"]
		config := w.object(owner, http.MethodGet, "/v2/projects/"+p.ref+"/config", "")["data"].(map[string]any)["attributes"].(map[string]any)
		return append(all, current, settings, pooler, config["database"].(map[string]any)["ssl_enforced"])
	}
	all := func(value bool) []any { return []any{value, value, value, value} }
	require.Equal(t, all(false), states())

	answer := w.object(owner, http.MethodPut, path, enforced)
	require.Equal(t, map[string]any{"currentConfig": map[string]any{"database": true}, "appliedSuccessfully": true}, answer)
	require.Equal(t, all(true), states())
	w.object(owner, http.MethodPut, path, optional)
	require.Equal(t, all(false), states())

	w.settings.PostgresPlainText = PlainTextRefused
	require.Equal(t, all(true), states(), "the operator wants it of every project")
	require.Equal(t, "The platform's operator enforces TLS for every project.", w.refusedWith(http.StatusBadRequest, owner, http.MethodPut, path, optional))
}

func TestTLSIsNotEnforcedWhereThereIsNoPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/ssl-enforcement"
	const message = "TLS is enforced at the gateway's Postgres port, and this project is not reached by one."
	w.settings.PostgresPlainText = PlainTextNowhere
	require.Equal(t, message, w.refusedWith(http.StatusBadRequest, owner, http.MethodPut, path, enforced))
	w.object(owner, http.MethodPut, path, optional)
	w.settings.PostgresPlainText = PlainTextTaken
	w.exec(`update platform.projects set target = 'adopted' where ref = $1`, p.ref)
	require.Equal(t, message, w.refusedWith(http.StatusBadRequest, owner, http.MethodPut, path, enforced))
}
