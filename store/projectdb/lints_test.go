package projectdb_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/projectdb"
)

// lintCases are what raises each of the lints, and what looks like it and does not.
var lintCases = map[string]struct{ wrong, right, object string }{
	"unindexed_foreign_keys": {
		`create table l_parent (id int primary key); create table l_child (id int primary key, p int references l_parent, q int)`,
		`create index on l_child (p, q)`, "l_child",
	},
	"auth_users_exposed": {
		`create view l_users with (security_invoker = off) as select id from auth.users; grant select on l_users to anon`,
		`revoke select on l_users from anon`, "l_users",
	},
	"auth_rls_initplan": {
		`create table l_plan (id uuid primary key); alter table l_plan enable row level security;
		 create policy mine on l_plan using (id = auth.uid())`,
		`alter policy mine on l_plan using (id = (select auth.uid()))`, "l_plan",
	},
	"no_primary_key":  {`create table l_keyless (a int)`, `alter table l_keyless add primary key (a)`, "l_keyless"},
	"unused_index":    {`create table l_used (a int); create index l_used_a on l_used (a)`, `drop index l_used_a; create unique index on l_used (a)`, "l_used"},
	"duplicate_index": {`create table l_twice (a int); create index one on l_twice (a); create index two on l_twice (a)`, `drop index two; create index two on l_twice (a desc)`, "l_twice"},
	"multiple_permissive_policies": {
		`create table l_many (a int); alter table l_many enable row level security;
		 create policy one on l_many for select to anon using (true); create policy two on l_many using (true)`,
		`drop policy two on l_many; create policy two on l_many for insert with check (true)`, "l_many",
	},
	"policy_exists_rls_disabled": {
		`create table l_off (a int); create policy one on l_off using (true)`, `alter table l_off enable row level security`, "l_off",
	},
	"rls_enabled_no_policy": {
		`create table l_none (a int); alter table l_none enable row level security`, `create policy one on l_none using (true)`, "l_none",
	},
	"security_definer_view": {
		`create view l_view as select 1 a; grant select on l_view to authenticated`, `alter view l_view set (security_invoker = on)`, "l_view",
	},
	"function_search_path_mutable": {
		`create function l_function() returns int language sql as 'select 1'`, `alter function l_function() set search_path = ''`, "l_function",
	},
	"rls_disabled_in_public": {
		`create table l_open (a int); grant select on l_open to anon`, `alter table l_open enable row level security`, "l_open",
	},
	"extension_in_public": {`create extension citext`, `create schema aside; alter extension citext set schema aside`, "citext"},
	"rls_references_user_metadata": {
		`create table l_meta (a int); create policy one on l_meta using ((auth.jwt() -> 'user_metadata' ->> 'admin') = 'yes')`,
		`alter policy one on l_meta using ((auth.jwt() -> 'app_metadata' ->> 'admin') = 'yes')`, "l_meta",
	},
	"materialized_view_in_api": {
		`create materialized view l_materialized as select 1 a; grant select on l_materialized to anon`, `revoke all on l_materialized from anon`, "l_materialized",
	},
	"foreign_table_in_api": {
		`create foreign data wrapper l_wrapper; create server l_server foreign data wrapper l_wrapper;
		 create foreign table l_foreign (a int) server l_server; grant select on l_foreign to anon`,
		`revoke all on l_foreign from anon`, "l_foreign",
	},
	"unsupported_reg_types": {`create table l_types (a regproc)`, `alter table l_types alter a type regclass using null`, "l_types"},
}

func TestEachLintFindsWhatIsWrongAndNothingElse(t *testing.T) {
	t.Parallel()
	p := project(t)
	_, reader := roles(t, p)
	for _, role := range []string{"anon", "authenticated"} {
		query(t, p, `do $$ begin create role `+role+` nologin; exception when duplicate_object then end $$`)
	}
	query(t, p, `create schema auth; create table auth.users (id uuid);
		create function auth.uid() returns uuid stable language sql as 'select null::uuid';
		create function auth.jwt() returns jsonb stable language sql as 'select null::jsonb';
		grant usage on schema public, auth to anon, authenticated`)
	find := func(name, object string) (found []projectdb.Finding) {
		all, err := reader.Lint(t.Context(), []string{"public"}, name)
		require.NoError(t, err, name)
		for _, one := range all {
			require.Equal(t, name, one.Lint)
			if one.Object == object {
				found = append(found, one)
			}
		}
		return found
	}
	for name, test := range lintCases {
		query(t, p, test.wrong)
		found := find(name, test.object)
		require.NotEmpty(t, found, name)
		require.NotEmpty(t, found[0].Detail)
		severe := projectdb.LintKinds[name].Level == projectdb.Severe
		if severe {
			require.True(t, isSevere(t, reader, found[0].CacheKey()), name)
		}
		query(t, p, test.right)
		require.Empty(t, find(name, test.object), name)
		if severe {
			require.False(t, isSevere(t, reader, found[0].CacheKey()), name)
		}
	}
	all, err := reader.Lint(t.Context(), []string{"public"})
	require.NoError(t, err)
	for _, one := range all {
		require.Contains(t, lintCases, one.Lint, "it has no case")
	}
	query(t, p, `create table l_shown (a int); grant select on l_shown to anon`)
	require.Len(t, severe(t, reader, "public"), len(severe(t, reader, ""))+1, "what the data API does not show is nobody's to reach")
	nothing, err := reader.Lint(t.Context(), nil, "security_definer_view", "rls_disabled_in_public")
	require.NoError(t, err)
	require.Empty(t, nothing, "no schema is shown")
}

// isSevere tells whether psql prints a finding for SevereSQL.
func isSevere(t *testing.T, reader projectdb.Address, key string) bool {
	t.Helper()
	return slices.ContainsFunc(severe(t, reader, "public, o'brien"), func(f projectdb.Finding) bool { return f.CacheKey() == key })
}

func severe(t *testing.T, reader projectdb.Address, schemas string) (found []projectdb.Finding) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
		"--host="+reader.Host, "--port="+strconv.Itoa(int(reader.Port)), "--username="+reader.Role, "--dbname="+reader.Database)
	command.Env = append(os.Environ(), "PGPASSWORD="+reader.Password, "EXPOSED_SCHEMAS="+schemas)
	command.Stdin = strings.NewReader("set jit = off;\n\\getenv schemas EXPOSED_SCHEMAS\n" + projectdb.SevereSQL())
	printed, err := command.Output()
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(printed), "\n"), "one line")
	require.NoError(t, json.Unmarshal(printed, &found))
	return found
}
