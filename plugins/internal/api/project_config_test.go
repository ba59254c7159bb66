package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestAProjectsWholeConfigurationIsWhatWasSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	attributes := func(as string) map[string]any {
		data := w.object(as, http.MethodGet, "/v2/projects/"+p.ref+"/config", "")["data"].(map[string]any)
		require.Equal(t, []any{"project_config", p.ref}, []any{data["type"], data["id"]})
		return data["attributes"].(map[string]any)
	}
	w.exec(`update platform.projects set db_version = '17.6' where ref = $1`, p.ref)
	before := attributes(owner)
	database := before["database"].(map[string]any)
	require.Equal(t, []any{17.}, []any{database["major_version"]})
	require.Equal(t, false, database["ssl_enforced"])
	require.Len(t, database["network_restrictions"].(map[string]any)["allowed_cidrs"], 2, "everywhere")
	require.Empty(t, database["postgres_settings"])
	require.NotContains(t, before, "pooler", "the project has none")
	require.Nil(t, before["auth"].(map[string]any)["smtp_host"])

	const project = "/v1/projects/"
	w.object(owner, http.MethodPatch, project+p.ref+"/config/auth", `{"site_url":"https://shop.example","smtp_pass":"correct horse"}`)
	w.object(owner, http.MethodPatch, project+p.ref+"/postgrest", `{"max_rows":7}`)
	w.object(owner, http.MethodPatch, project+p.ref+"/config/storage", `{"fileSizeLimit":9,"features":{"s3Protocol":{"enabled":false}}}`)
	w.object(owner, http.MethodPut, project+p.ref+"/config/database/postgres", `{"statement_timeout":"9s"}`)
	w.succeed(owner, http.MethodPost, project+p.ref+"/network-restrictions/apply", `{"dbAllowedCidrs":["192.0.2.0/24"],"dbAllowedCidrsV6":[]}`)
	after := attributes(owner)
	database = after["database"].(map[string]any)
	require.Equal(t, []any{map[string]any{"address": "192.0.2.0/24", "type": "v4"}}, database["network_restrictions"].(map[string]any)["allowed_cidrs"])
	require.Equal(t, map[string]any{"statement_timeout": "9s"}, database["postgres_settings"])
	require.Equal(t, []any{7.}, []any{after["api"].(map[string]any)["max_rows"]})
	storage := after["storage"].(map[string]any)
	require.Equal(t, []any{9.}, []any{storage["file_size_limit"]})
	require.Equal(t, map[string]any{"enabled": false}, storage["features"].(map[string]any)["s3_protocol"])
	auth := after["auth"].(map[string]any)
	require.Equal(t, "https://shop.example", auth["site_url"])
	require.NotContains(t, auth["smtp_pass"], "correct horse")
}
