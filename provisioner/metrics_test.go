package main_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// freeAddress is a port of this machine that nobody has just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestTheProvisionerIsMeasuredAndSaysWhetherItCanWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	address := freeAddress(t)
	p := b.start("PLURABASE_METRICS_LISTEN=" + address)
	ready := func() ([]byte, error) {
		command := exec.CommandContext(t.Context(), binary, "-ready")
		command.Env = []string{"PLURABASE_METRICS_LISTEN=" + address}
		return command.CombinedOutput()
	}
	require.Eventually(t, func() bool { _, err := ready(); return err == nil }, patience, 20*time.Millisecond)

	ref := b.create("shop")
	b.awaitStatus(ref, store.StatusActiveHealthy)
	b.change(ref, store.OperationDelete)
	b.awaitGone(ref)
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	for _, line := range []string{
		`plurabase_operations_total{kind="create",result="succeeded"} 1`,
		`plurabase_operation_seconds_count{kind="create"} 1`,
		`plurabase_step_seconds_count{result="done",step="create-container"}`,
		`plurabase_leases_held `,
		`plurabase_queue_projects{waits_for="worker"} 0`,
		`plurabase_pool_connections_limit`,
	} {
		require.Contains(t, string(body), line)
	}
	require.NotContains(t, string(body), string(ref), "a project's name is no label: there would be no end of series")
	asked := scalar[string](b, `select request_id from platform.operations where kind = 'create' and project_ref = $1`, ref)
	require.Contains(t, p.log.String(), "request_id="+asked, "a line of the log is joined with the request that asked for it")

	require.Zero(t, p.stop())
	output, err := ready()
	require.Error(t, err, string(output))
}
