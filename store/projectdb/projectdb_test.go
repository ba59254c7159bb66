package projectdb_test

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/projectdb"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// project is a database of its own, and its owner's address.
func project(t *testing.T) projectdb.Address {
	t.Helper()
	parsed, err := url.Parse(pgtest.Empty(t))
	require.NoError(t, err)
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	require.NoError(t, err)
	password, _ := parsed.User.Password()
	return projectdb.Address{
		Host: parsed.Hostname(), Port: uint16(port), Role: parsed.User.Username(), Password: password,
		Database: strings.TrimPrefix(parsed.Path, "/"),
	}
}

// rolesMade: two tests that grant at once would be in each other's way.
var rolesMade sync.Once

// roles makes the roles that a project's database has, in a cluster that other tests use, too.
func roles(t *testing.T, owner projectdb.Address) (admin, reader projectdb.Address) {
	t.Helper()
	rolesMade.Do(func() {
		for _, sql := range []string{
			`do $$ begin create role supabase_admin superuser login password 'admin'; exception when duplicate_object then end $$`,
			`do $$ begin create role supabase_read_only_user login bypassrls password 'look'; exception when duplicate_object then end $$`,
			`grant pg_read_all_data to supabase_read_only_user`,
			`alter role supabase_read_only_user set default_transaction_read_only = on`,
		} {
			query(t, owner, sql)
		}
	})
	admin, reader = owner, owner
	admin.Role, admin.Password = projectdb.RoleAdmin, "admin"
	reader.Role, reader.Password = projectdb.RoleReadOnly, "look"
	return admin, reader
}

func query(t *testing.T, address projectdb.Address, sql string, parameters ...any) string {
	t.Helper()
	rows, err := address.Query(t.Context(), sql, parameters)
	require.NoError(t, err)
	return string(rows)
}

func TestAQueryAnswersWithTheValuesThatPostgresMetaGives(t *testing.T) {
	t.Parallel()
	p := project(t)
	for sql, want := range map[string]string{
		`select 1 a, 9007199254740991 b, 9007199254740992 c, 1.50 d, 0.5::float8 e, 'NaN'::float8 f`:      `[{"a":1,"b":9007199254740991,"c":"9007199254740992","d":"1.50","e":0.5,"f":null}]`,
		`select true a, null b, '' c, 'x"y' d`:                                                            `[{"a":true,"b":null,"c":"","d":"x\"y"}]`,
		`select '{"b": 1, "a": [2]}'::json a, '2026-03-01 12:00:00+00'::timestamptz at time zone 'UTC' b`: `[{"a":{"b":1,"a":[2]},"b":"2026-03-01 12:00:00"}]`,
		`select '{{1,2},{3,null}}'::int[] a, array['x,y', '', null] b, '{}'::text[] c`:                    `[{"a":[[1,2],[3,null]],"b":["x,y","",null],"c":[]}]`,
		`select '\x00ff'::bytea a, 1 b, 2 b`:                                                              `[{"a":{"type":"Buffer","data":[0,255]},"b":2}]`,
		`create table t (n int); insert into t values (1), (2); select n from t order by n; drop table t`: `[{"n":1},{"n":2}]`,
		`create table empty ()`: `[]`,
		``:                      `[]`,
	} {
		require.JSONEq(t, want, query(t, p, sql), sql)
	}
	require.JSONEq(t, `[{"a":2,"b":["x","y\"z"],"c":{"k":1}}]`,
		query(t, p, `select $1::int + 1 a, $2::text[] b, $3::jsonb c`, 1.0, []any{"x", `y"z`}, map[string]any{"k": 1}))
}

func TestAnErrorPointsAtItsLine(t *testing.T) {
	t.Parallel()
	p := project(t)
	_, err := p.Query(t.Context(), "select 1,\n  nothing from nowhere", nil)
	var refused *projectdb.SQLError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "ERROR:  42P01: relation \"nowhere\" does not exist\nLINE 2:   nothing from nowhere\n                       ^\n", refused.Error())
}

func TestStatementsThatFailTogetherChangeNothing(t *testing.T) {
	t.Parallel()
	p := project(t)
	_, err := p.Query(t.Context(), "create table t (); select 1/0", nil)
	require.Error(t, err)
	require.JSONEq(t, `[{"t":null}]`, query(t, p, `select to_regclass('t') t`))
}

func TestAResultThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	_, err := project(t).Query(t.Context(), "select repeat('x', 1000000) from generate_series(1, 20)", nil)
	require.ErrorIs(t, err, projectdb.ErrTooLarge)
}

func TestNothingGetsOutOfAReadOnlyQuery(t *testing.T) {
	t.Parallel()
	p := project(t)
	_, reader := roles(t, p)
	query(t, p, `create table t (n int); insert into t values (1);
		create function sneak() returns void language sql security definer as 'insert into t values (2)'`)
	rows, err := reader.ReadOnlyQuery(t.Context(), "select n from t where n = $1", []any{1.0})
	require.NoError(t, err)
	require.JSONEq(t, `[{"n":1}]`, string(rows))
	for _, sql := range []string{
		`insert into t values (2)`,
		`create temporary table own ()`,
		`select sneak()`,
		`set transaction read write`,
		`select set_config('transaction_read_only', 'off', false), sneak()`,
		`commit; set default_transaction_read_only = off; select sneak()`,
		`set role postgres`,
	} {
		_, err := reader.ReadOnlyQuery(t.Context(), sql, nil)
		require.Error(t, err, sql)
	}
	require.JSONEq(t, `[{"n":1}]`, query(t, p, `select n from t`))
}

func TestAPasswordIsNeverPrinted(t *testing.T) {
	t.Parallel()
	address := projectdb.Address{Host: "127.0.0.1", Port: 1, Role: "postgres", Password: "secret"}
	_, err := address.Query(t.Context(), "select 1", nil)
	require.ErrorIs(t, err, projectdb.ErrUnreachable)
	require.NotContains(t, err.Error()+address.String()+address.GoString(), "secret")
}

func TestMigrationsAreAppliedOnceAndTakenBack(t *testing.T) {
	t.Parallel()
	p := project(t)
	list, err := p.Migrations(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)

	shops := projectdb.NewMigration{
		Name: "shops", Query: "create table shops ()", Rollback: "drop table shops", CreatedBy: "ada@example.com", IdempotencyKey: "one",
	}
	require.NoError(t, p.ApplyMigration(t.Context(), now, shops))
	require.NoError(t, p.ApplyMigration(t.Context(), now, shops), "the same request again")
	require.NoError(t, p.ApplyMigration(t.Context(), now, projectdb.NewMigration{Name: "items", Query: "create table items ()"}))
	list, err = p.Migrations(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []string{"20260301120000", "20260301120001"}, []string{list[0].Version, list[1].Version})
	require.Equal(t, "shops", *list[0].Name)
	require.Equal(t, []string{"create table shops ()"}, list[0].Statements)

	name := "stores"
	require.NoError(t, p.ChangeMigration(t.Context(), list[0].Version, &name, nil))
	one, err := p.Migration(t.Context(), list[0].Version)
	require.NoError(t, err)
	require.Equal(t, "stores", *one.Name)
	require.Equal(t, []string{"drop table shops"}, one.Rollback)

	require.NoError(t, p.RollBack(t.Context(), "20260301120000"))
	require.JSONEq(t, `[{"shops":null,"items":"items"}]`, query(t, p, `select to_regclass('shops') shops, to_regclass('items') items`))
	require.ErrorIs(t, p.RollBack(t.Context(), "20260301120000"), projectdb.ErrNoMigration)
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	p := project(t)
	err := p.ApplyMigration(t.Context(), now, projectdb.NewMigration{Query: "create table t (); select oops"})
	var refused *projectdb.SQLError
	require.ErrorAs(t, err, &refused)
	list, err := p.Migrations(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestTheCLIsOwnHistoryIsRead(t *testing.T) {
	t.Parallel()
	p := project(t)
	query(t, p, `create schema supabase_migrations;
		create table supabase_migrations.schema_migrations (version text primary key);
		insert into supabase_migrations.schema_migrations values ('20250101000000')`)
	list, err := p.Migrations(t.Context())
	require.NoError(t, err)
	require.Equal(t, []projectdb.Migration{{Version: "20250101000000", Statements: []string{}, Rollback: []string{}}}, list)
	require.NoError(t, p.NoteMigration(t.Context(), now, projectdb.NewMigration{Query: "create table never_made ()"}))
	require.JSONEq(t, `[{"t":null}]`, query(t, p, `select to_regclass('never_made') t`))
}

func TestALoginRoleTakesTheOwnersRoleAndIsDropped(t *testing.T) {
	t.Parallel()
	p := project(t)
	admin, _ := roles(t, p)
	// Were it called in place of Postgres' own, a user's function would run as superuser.
	query(t, p, `create function public.starts_with(name, text) returns boolean language plpgsql as 'begin raise exception ''called''; end'`)
	role, err := admin.CreateLoginRole(t.Context(), time.Now(), projectdb.RoleOwner)
	require.NoError(t, err)
	login := p
	login.Role, login.Password = role.Name, role.Password
	require.JSONEq(t, `[{"current_user":"postgres"}]`, query(t, login, `set session role postgres; select current_user`))

	reader, err := admin.CreateLoginRole(t.Context(), time.Now(), projectdb.RoleReadOnly)
	require.NoError(t, err)
	login.Role, login.Password = reader.Name, reader.Password
	require.JSONEq(t, `[{"default_transaction_read_only":"on"}]`, query(t, login, `show default_transaction_read_only`))

	stale, err := admin.CreateLoginRole(t.Context(), time.Now().Add(-time.Hour), projectdb.RoleReadOnly)
	require.NoError(t, err)
	login.Role, login.Password = stale.Name, stale.Password
	_, err = login.Query(t.Context(), "select 1", nil)
	require.Error(t, err, "it has run out")

	require.NoError(t, admin.DropLoginRoles(t.Context()))
	require.JSONEq(t, `[{"n":0}]`, query(t, p, `select count(*) n from pg_roles where rolname = $1`, role.Name))
}

func TestSchemasAreTheUsersAndTheServices(t *testing.T) {
	t.Parallel()
	p := project(t)
	query(t, p, `create schema shop`)
	names, err := p.Schemas(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"public", "shop"}, names)
}
