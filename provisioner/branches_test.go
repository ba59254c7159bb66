package main_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

func migration(version, name, sql string) projectdb.Migration {
	return projectdb.Migration{Version: version, Name: &name, Statements: []string{sql}}
}

// takeOver has a project take migrations over, and waits for the end of it.
func (b *bundle) takeOver(ref, source store.Ref, what projectdb.TakeOver) store.Project {
	b.Helper()
	_, err := b.store.TakeOver(b.Context(), b.actor(), ref, source, what)
	require.NoError(b, err)
	return b.awaitRest(ref)
}

const versions = `select coalesce(string_agg(version, ' ' order by version), '') from supabase_migrations.schema_migrations`

func TestABranchTakesMigrationsOverAsItsUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start()
	parent := b.create("shop")
	b.awaitStatus(parent, store.StatusActiveHealthy)
	notes := migration("1", "notes", `create table notes (text text); insert into notes values ('\! touch /tmp/owned'), ('$plurabase$');`)
	mood := migration("2", "mood", `create type mood as enum ('sad'); create schema later; create function later.mine() returns int language sql return 1;
		set role anon; set search_path = later`)
	made, err := b.store.CreateBranch(t.Context(), b.actor(), parent, store.NewBranch{Name: "feature", Migrations: []projectdb.Migration{notes, mood}})
	require.NoError(t, err)
	b.awaitStatus(made.Ref, store.StatusActiveHealthy)
	b.awaitRest(made.Ref)
	require.Equal(t, "1 2", asked[string](b, made.Ref, versions))
	require.Equal(t, 2, asked[int](b, made.Ref, `select count(*)::int from public.notes`))
	require.Equal(t, "postgres", asked[string](b, made.Ref, `select tableowner from pg_tables where tablename = 'notes'`), "no superuser ran it")

	// An enum's new value is used by the migration after it: each is a transaction of its own, and the first that fails is the last.
	project := b.takeOver(parent, made.Ref, projectdb.TakeOver{Migrations: []projectdb.Migration{
		notes, mood, migration("3", "happy", `alter type mood add value 'happy'`), migration("4", "moods", `create table moods as select 'happy'::mood as mood`),
		migration("5", "broken", `create table half (id int); select 1 / 0`), migration("6", "after", `create table after (id int)`),
	}})
	require.Equal(t, store.StatusActiveHealthy, project.Status)
	require.Equal(t, "The migration 5 (broken) failed: division by zero", *project.Message)
	require.Equal(t, "1 2 3 4", asked[string](b, parent, versions))
	require.False(t, asked[bool](b, parent, `select to_regclass('half') is not null`))
	require.Equal(t, "migrate:failed", scalar[string](b, `select kind || ':' || state from platform.operations order by id desc limit 1`))

	b.run(made.Ref, `create table auth.users (id int primary key); insert into auth.users values (1); grant all on auth.users to postgres;
		create table notes_of (id int references auth.users); alter table notes_of owner to postgres`)
	project = b.takeOver(made.Ref, parent, projectdb.TakeOver{Reset: true, Migrations: []projectdb.Migration{notes}})
	require.Nil(t, project.Message)
	require.Equal(t, "1", asked[string](b, made.Ref, versions))
	require.Equal(t, 2, asked[int](b, made.Ref, `select count(*)::int from public.notes`))
	require.Zero(t, asked[int](b, made.Ref, `select count(*)::int from auth.users`))
	require.False(t, asked[bool](b, made.Ref, `select to_regclass('public.notes_of') is not null`))
	require.False(t, asked[bool](b, made.Ref, `select to_regtype('public.mood') is not null or to_regnamespace('later') is not null`))
}
