package main

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/projectdb"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

// database is one of its own, with what the SQL makes in it.
func database(t *testing.T, sql string) projectdb.Address {
	t.Helper()
	parsed, err := url.Parse(pgtest.Empty(t))
	require.NoError(t, err)
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	require.NoError(t, err)
	password, _ := parsed.User.Password()
	address := projectdb.Address{
		Host: parsed.Hostname(), Port: uint16(port), Role: parsed.User.Username(), Password: password,
		Database: strings.TrimPrefix(parsed.Path, "/"),
	}
	run(t, address, sql)
	return address
}

func run(t *testing.T, address projectdb.Address, sql string) {
	t.Helper()
	_, err := address.Query(t.Context(), sql, nil)
	require.NoError(t, err)
}

const before = `
	create schema auth; create schema app;
	create table auth.users (id int primary key);
	create table notes (id int primary key, owner int references auth.users, text text, old text);
	create function loud(text) returns text language sql as 'select upper($1)';`

func TestTheDifferenceMakesOneSchemaOfTheOther(t *testing.T) {
	t.Parallel()
	from, to := database(t, before), database(t, before)
	same, err := between(t.Context(), from, to, nil)
	require.NoError(t, err)
	require.Empty(t, same)

	run(t, to, `
		create type mood as enum ('sad', 'happy');
		alter table notes drop column old, add column mood mood not null default 'sad', alter column text set not null;
		alter table notes enable row level security;
		create policy mine on notes using (owner = 1);
		create index notes_text on notes (text);
		create view sad as select id from notes where mood = 'sad';
		create or replace function loud(text) returns text language sql as $$ select upper($1) || '!' $$;
		create table app.tags (note int references notes, tag text, primary key (note, tag));
		create table auth.ours (id int)`)
	sql, err := between(t.Context(), from, to, nil)
	require.NoError(t, err)
	require.Contains(t, sql, "-- DELETES_DATA: ")
	require.NotContains(t, sql, "ours", "what the services make is theirs")
	require.NotContains(t, sql, "CONCURRENTLY", "it is run in one transaction")
	again, err := between(t.Context(), from, to, nil)
	require.NoError(t, err)
	require.Equal(t, sql, again)

	only, err := between(t.Context(), from, to, []string{"app"})
	require.NoError(t, err)
	require.Contains(t, only, "tags")
	require.NotContains(t, only, "policy")

	run(t, from, sql)
	same, err = between(t.Context(), from, to, nil)
	require.NoError(t, err)
	require.Empty(t, same, "nothing is left that differs")
}

func TestADatabaseThatDoesNotAnswerIsNotNamed(t *testing.T) {
	t.Parallel()
	there := database(t, before)
	gone := there
	gone.Port, gone.Password = 1, "hush"
	_, err := between(t.Context(), there, gone, nil)
	require.ErrorIs(t, err, projectdb.ErrUnreachable)
	require.NotContains(t, err.Error(), "hush")
}
