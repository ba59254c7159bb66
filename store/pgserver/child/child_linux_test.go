package child_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is far beyond what any of these takes.
const long = time.Minute

func TestItEndsInTimeWhenItDoesAsItIsAsked(t *testing.T) {
	t.Parallel()
	p, _ := start(t, `trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done`)
	require.True(t, p.Stop(syscall.SIGTERM, long))
	var exit *exec.ExitError
	require.ErrorAs(t, p.Err(), &exit)
	require.Equal(t, 3, exit.ExitCode())
}

func TestItIsKilledWhenItDoesNot(t *testing.T) {
	t.Parallel()
	p, _ := start(t, `trap '' TERM; echo ready; while :; do sleep 0.01; done`)
	require.False(t, p.Stop(syscall.SIGTERM, 50*time.Millisecond))
	require.ErrorContains(t, p.Err(), "killed")
}

func TestWhatItLeavesBehindEndsWithIt(t *testing.T) {
	t.Parallel()
	p, line := start(t, `sleep 300 >/dev/null 2>&1 & echo $!; wait`)
	grandchild, err := strconv.Atoi(line)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(grandchild, 0))
	p.Stop(syscall.SIGTERM, long)
	require.Eventually(t, func() bool { return !runs(grandchild) }, long, 10*time.Millisecond)
}

func TestItsEndIsSeenWithoutAsking(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "echo ready; exit 0")
	<-p.Done()
	require.NoError(t, p.Err())
	require.True(t, p.Stop(syscall.SIGTERM, long), "it had ended by itself")
}

func TestACtrlCInTheTerminalIsTheParentsAlone(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "echo ready; exec sleep 300")
	group, err := syscall.Getpgid(p.Pid())
	require.NoError(t, err)
	require.Equal(t, p.Pid(), group)
	p.Stop(syscall.SIGTERM, long)
}

func TestAProgramThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	_, err := child.Start(exec.Command("/nowhere/program"), syscall.SIGTERM)
	require.ErrorContains(t, err, "start /nowhere/program")
}

// start runs script, and returns with its first line.
func start(t *testing.T, script string) (p *child.Process, line string) {
	t.Helper()
	output, input, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = output.Close() }()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = input
	p, err = child.Start(cmd, syscall.SIGKILL)
	require.NoError(t, input.Close())
	require.NoError(t, err)
	t.Cleanup(func() { p.Stop(syscall.SIGKILL, long) })
	line, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	return p, strings.TrimSpace(line)
}

// runs is false also for a process that has ended and that nobody has waited for, as in containers without an init.
func runs(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}
