package backup

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// sessionName is what Postgres shows the sessions of this package as, so that what a killed provisioner left is found.
const sessionName = "plurabase-backup"

// inventorySQL prints what a database has, a line each: how many rows each table, how many objects of each kind.
//
//go:embed inventory.sql
var inventorySQL string

// database is a Postgres in a container, which is asked by its own tools there.
type database struct {
	engine    engine.Engine
	container string
	password  string // of supabase_admin
}

// database is the project's own.
func (t *Task) database(ctx context.Context, want stack.Stack) (database, error) {
	secrets, err := t.Claim.Secrets(ctx)
	return database{engine: t.Engine, container: want.Database.Container, password: secrets[store.SecretDatabasePassword]}, err
}

// command is one of Postgres' tools. The password is in its environment alone: a process list shows the arguments.
func (d database) command(name string, arguments ...string) stack.Command {
	return stack.Command{
		Args: append([]string{name, "--host=127.0.0.1", "--username=supabase_admin", "--no-password"}, arguments...),
		Env:  stack.Env{"PGPASSWORD": d.password, "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": sessionName},
	}
}

func (d database) psql(name string) stack.Command {
	return d.command("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
		"--set=VERBOSITY=terse", "--dbname="+name, "--file=-")
}

// maintenance is the database from which the others are made, renamed and dropped.
const maintenance = "template1"

// sql runs SQL in the maintenance database. What it is named comes first, for whoever reads Postgres' log.
func (d database) sql(ctx context.Context, name, sql string) error {
	text := "-- plurabase: " + name + "\nset search_path = pg_catalog;\n" + sql
	return d.engine.Pipe(ctx, d.container, d.psql(maintenance), strings.NewReader(text), io.Discard)
}

// endSessions ends what an interrupted try may have left at work: a client that is gone does not end a dump at once.
func (d database) endSessions(ctx context.Context) error {
	return d.sql(ctx, "end-sessions", `
		select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = '`+sessionName+`' and pid <> pg_backend_pid();`)
}

// snapshotName is how Postgres names an exported snapshot.
var snapshotName = regexp.MustCompile(`^[0-9A-F]+-[0-9A-F]+-\d+$`)

// snapshot hands a snapshot's name to use, and returns the inventory of the same snapshot: what is dumped is what is counted.
func (d database) snapshot(ctx context.Context, use func(name string) error) (inventory string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, asking := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := d.engine.Pipe(ctx, d.container, d.psql("postgres"), in, out)
		_ = in.CloseWithError(io.ErrClosedPipe)
		_ = out.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	lines := bufio.NewReader(answers)
	name, err := ask(asking, lines)
	if err == nil {
		err = use(name)
	}
	var printed bytes.Buffer
	if err == nil {
		_, err = io.WriteString(asking, inventorySQL)
	}
	_ = asking.Close()
	if err == nil {
		_, _ = io.Copy(&printed, lines) // what broke it is what Pipe returns
	} else {
		cancel()
	}
	_ = answers.Close()
	if failure := <-ended; err == nil {
		err = failure
	}
	return printed.String(), err
}

// ask opens the snapshot and reads its name.
func ask(asking io.Writer, answers *bufio.Reader) (string, error) {
	_, err := io.WriteString(asking, `-- plurabase: snapshot
set search_path = pg_catalog;
set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0;
begin isolation level repeatable read read only;
select pg_export_snapshot();
`)
	if err != nil {
		return "", err
	}
	name, err := answers.ReadString('\n')
	name = strings.TrimSpace(name)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("open a snapshot: %w", err)
	case !snapshotName.MatchString(name):
		return "", errors.New("open a snapshot: the database does not answer as it should")
	}
	return name, nil
}

// dump writes the database, as of a snapshot.
func (d database) dump(ctx context.Context, snapshot string, out io.Writer) error {
	command := d.command("pg_dump", "--format=custom", "--compress=0", "--snapshot="+snapshot, "--dbname=postgres")
	return d.engine.Pipe(ctx, d.container, command, strings.NewReader(""), out)
}

// roles writes the roles of the whole cluster, without their passwords.
func (d database) roles(ctx context.Context, out io.Writer) error {
	command := d.command("pg_dumpall", "--roles-only", "--no-role-passwords", "--database="+maintenance)
	return d.engine.Pipe(ctx, d.container, command, strings.NewReader(""), out)
}

// inventory prints what the database has.
func (d database) inventory(ctx context.Context) (string, error) {
	var printed bytes.Buffer
	text := "-- plurabase: inventory\nset search_path = pg_catalog;\n" + inventorySQL
	err := d.engine.Pipe(ctx, d.container, d.psql("postgres"), strings.NewReader(text), &printed)
	return printed.String(), err
}

// addRoles makes the roles that a dump's objects belong to. Those that exist are told so by Postgres, and go on.
func (d database) addRoles(ctx context.Context, roles io.Reader) error {
	command := d.command("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=0", "--dbname="+maintenance, "--file=-")
	text := io.MultiReader(strings.NewReader("-- plurabase: roles\n"), roles)
	return d.engine.Pipe(ctx, d.container, command, text, io.Discard)
}

// load makes the database postgres of a dump. It must not exist.
func (d database) load(ctx context.Context, dump io.Reader) error {
	command := d.command("pg_restore", "--create", "--exit-on-error", "--dbname="+maintenance)
	return d.engine.Pipe(ctx, d.container, command, dump, io.Discard)
}

// dropDatabase drops a database, with whoever is in it.
func (d database) dropDatabase(ctx context.Context, name string) error {
	return d.sql(ctx, "drop-database "+name, "drop database if exists "+name+" with (force);")
}

// aside is what a database is called while another takes its place.
func aside(restore int64) string { return "plurabase_before_restore_" + number(restore) }

// setAside renames the database postgres. What was put in its place by an interrupted try goes.
func (d database) setAside(ctx context.Context, restore int64) error {
	name := aside(restore)
	return d.sql(ctx, "set-aside "+name, strings.ReplaceAll(`
		select 'drop database if exists postgres with (force)' from pg_database where datname = '{aside}' \gexec
		select 'alter database postgres with allow_connections false' from pg_database where datname = 'postgres' \gexec
		select pg_terminate_backend(pid) from pg_stat_activity where datname = 'postgres';
		select 'alter database postgres rename to {aside}' from pg_database where datname = 'postgres' \gexec
	`, "{aside}", name))
}

// putBack gives the database its name again, in place of whatever has it. It does nothing where none is set aside.
func (d database) putBack(ctx context.Context, restore int64) error {
	name := aside(restore)
	return d.sql(ctx, "put-back "+name, strings.ReplaceAll(`
		select 'drop database if exists postgres with (force)' from pg_database where datname = '{aside}' \gexec
		select 'alter database {aside} rename to postgres' from pg_database where datname = '{aside}' \gexec
		alter database postgres with allow_connections true;
	`, "{aside}", name))
}

// awaitHealthy waits until a scratch database answers.
func (k *Keeper) awaitHealthy(ctx context.Context, container string) error {
	ticker := time.NewTicker(k.Settings.Poll)
	defer ticker.Stop()
	for {
		seen, err := k.Engine.Container(ctx, container)
		switch {
		case err != nil:
			return err
		case seen.Healthy:
			return nil
		case !seen.Runs():
			return fmt.Errorf("the scratch database is %s, exit code %d", seen.State, seen.ExitCode)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the scratch database did not become healthy: %w", ctx.Err())
		}
	}
}
