package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestTheAddressOfThePostgresPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]PostgresPort{
		"db.example.com": {"db.example.com", 5432}, "db.example.com:6000": {"db.example.com", 6000}, "127.0.0.1": {"127.0.0.1", 5432},
		"": {}, "db.example.com:0": {}, "db.example.com:65536": {}, "db@example.com": {}, "a/b": {}, "postgres://a": {}, "-a": {},
	} {
		got, ok := ParsePostgresPort(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want != PostgresPort{}, ok, text)
	}
}

func TestTheGatewaysPostgresPortStandsInForAPooler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	w.settings.Postgres = PostgresPort{"db.example.com", 5432}
	const password = ":[YOUR-PASSWORD]"
	want := "postgresql://postgres." + p.ref + password + "@db.example.com:5432/postgres"
	for _, path := range []string{"/platform/projects/" + p.ref + "/config/supavisor", "/v1/projects/" + p.ref + "/config/database/pooler"} {
		var poolers []map[string]any
		w.list(owner, path, &poolers)
		require.Len(t, poolers, 1)
		require.Equal(t, "PRIMARY", poolers[0]["database_type"])
		require.Equal(t, want, poolers[0]["connection_string"])
		require.Equal(t, "postgres."+p.ref, poolers[0]["db_user"])
		require.Equal(t, "session", poolers[0]["pool_mode"])
		require.Nil(t, poolers[0]["default_pool_size"], "nothing is pooled")
	}
	pgbouncer := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/config/pgbouncer", "")
	require.Equal(t, want, pgbouncer["connection_string"])
	require.Equal(t, false, pgbouncer["pgbouncer_enabled"])

	w.exec(`update platform.projects set services = '{db,pooler}' where ref = $1`, p.ref)
	w.exec(`insert into platform.project_ports (target, port, project_id, service) select 'local', 54997, id, 'pooler' from platform.projects where ref = $1`, p.ref)
	require.Contains(t, w.object(owner, http.MethodGet, "/v1/projects/"+p.ref+"/config/database/pgbouncer", "")["connection_string"], "@localhost:54997/",
		"a pooler of its own goes before")

	w.exec(`update platform.projects set services = '{db}', target = 'adopted' where ref = $1`, p.ref)
	var poolers []map[string]any
	w.list(owner, "/v1/projects/"+p.ref+"/config/database/pooler", &poolers)
	require.Empty(t, poolers, "an installation that was adopted is not behind the port")
}
