package pgserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/store/pgserver"
)

// supervisedDir makes this test binary a process that runs a server in the folder that it names, until it is killed.
const supervisedDir = "PGSERVER_TEST_SUPERVISED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(supervisedDir); dir != "" {
		superviseUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func superviseUntilKilled(dir string) {
	s, err := pgserver.Start(context.Background(), pgserver.Options{Dir: dir, Throwaway: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin) // until killed; the end of input is the net below it
}

func TestItKeepsDatabasesAndPasswordOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir)
	shop, err := first.NewDatabase(t.Context(), `sh"op`)
	require.NoError(t, err)
	execute(t, shop, "create table item (name text); insert into item values ('Äpfel')")
	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop(), "the second time finds it done")
	_, err = pgx.Connect(t.Context(), shop)
	require.Error(t, err, "it has ended")

	second := start(t, dir)
	require.Equal(t, passwordOf(t, first.URL()), passwordOf(t, second.URL()))
	conn := connect(t, withDatabase(t, second.URL(), `sh"op`))
	var lower string
	require.NoError(t, conn.QueryRow(t.Context(), "select lower(name) from item").Scan(&lower))
	require.Equal(t, "äpfel", lower, "the locale knows more than ASCII")
}

func TestItLetsNobodyInWithoutThePassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	address, err := url.Parse(s.URL())
	require.NoError(t, err)
	address.User = url.UserPassword("postgres", "wrong")
	_, err = pgx.Connect(t.Context(), address.String())
	require.ErrorContains(t, err, "password authentication failed")

	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	pid := postmaster(t, dir)
	for _, file := range []string{"cmdline", "environ"} {
		content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
		require.NoError(t, err)
		require.NotContains(t, string(content), passwordOf(t, s.URL()), file)
	}
}

func TestItsLogShowsNoStatement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conn := connect(t, start(t, dir).URL())
	_, err := conn.Exec(t.Context(), "select 'a secret' from nowhere")
	require.Error(t, err)
	require.NoError(t, conn.Close(t.Context()))
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), `relation "nowhere" does not exist`)
	require.NotContains(t, string(log), "a secret")
}

func TestOneProcessUsesAFolderAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Throwaway: true})
	require.ErrorContains(t, err, "another process runs a Postgres in")
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(start(t, t.TempDir()).URL())
	require.NoError(t, err)
	port, err := strconv.Atoi(address.Port())
	require.NoError(t, err)
	_, err = pgserver.Start(t.Context(), pgserver.Options{Dir: t.TempDir(), Port: port, Throwaway: true})
	require.Error(t, err)
}

func TestItSaysWhenTheServerEndsByItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	require.NoError(t, syscall.Kill(postmaster(t, dir), syscall.SIGINT))
	waitFor(t, s.Done())
}

func TestItRecoversWhenTheServerWasKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	needPostgres(t)
	first, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir}) // a throwaway server may lose what it said
	require.NoError(t, err)
	execute(t, first.URL(), "create table kept ()")
	require.NoError(t, syscall.Kill(postmaster(t, dir), syscall.SIGKILL))
	waitFor(t, first.Done())
	require.Error(t, first.Stop(), "it did not end as it should")

	execute(t, start(t, dir).URL(), "select from kept")
}

func TestTheServerEndsWithAProcessThatIsKilledAndTheNextOneRecovers(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := t.TempDir()
	supervisor := exec.CommandContext(t.Context(), os.Args[0])
	supervisor.Env = append(os.Environ(), supervisedDir+"="+dir)
	_, err := supervisor.StdinPipe() // held open
	require.NoError(t, err)
	output, err := supervisor.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, supervisor.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	execute(t, strings.TrimSpace(line), "create table kept ()")

	pid := postmaster(t, dir)
	require.NoError(t, supervisor.Process.Kill())
	_ = supervisor.Wait() // it was killed, and says so
	require.Eventually(t, func() bool {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	}, time.Minute, 10*time.Millisecond, "the server outlives its parent")
	execute(t, start(t, dir).URL(), "select from kept")
}

func TestAnInterruptedInitIsDoneAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unfinished := filepath.Join(dir, "data.unfinished")
	require.NoError(t, os.Mkdir(unfinished, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(unfinished, "PG_VERSION"), []byte("15\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), nil, 0o600))
	execute(t, start(t, dir).URL(), "select")
	require.NoDirExists(t, unfinished)
}

func TestAStalePidFileIsNoObstacle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, start(t, dir).Stop())
	// Process 1 lives, but it is not the one that wrote this.
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	require.NoError(t, os.WriteFile(pidFile, []byte("1\n"+dir+"/data\n1700000000\n"), 0o600))
	execute(t, start(t, dir).URL(), "select")
}

func TestItSaysWhenThePasswordIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, start(t, dir).Stop())
	require.NoError(t, os.Remove(filepath.Join(dir, "password")))
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
	require.ErrorContains(t, err, "password is missing: restore it, or remove")
}

func TestItGivesUpWhenAsked(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pgserver.Start(ctx, pgserver.Options{Dir: t.TempDir(), Throwaway: true})
	require.ErrorIs(t, err, context.Canceled)
}

func start(t *testing.T, dir string) *pgserver.Server {
	t.Helper()
	needPostgres(t)
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Throwaway: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() }) // what a stop returns has its own tests
	return s
}

func needPostgres(t *testing.T) {
	t.Helper()
	if _, err := pgserver.FindBinaries(); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, url, statements string) {
	t.Helper()
	_, err := connect(t, url).Exec(t.Context(), statements)
	require.NoError(t, err)
}

func withDatabase(t *testing.T, address, name string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	parsed.Path = "/" + name
	return parsed.String()
}

func passwordOf(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	password, ok := parsed.User.Password()
	require.True(t, ok)
	require.NotEmpty(t, password)
	return password
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(line)
	require.NoError(t, err)
	return pid
}

func waitFor(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}
