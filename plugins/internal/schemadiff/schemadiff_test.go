package schemadiff_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/store/projectdb"
)

func TestADatabaseThatDoesNotAnswerIsNotNamed(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "schema-diff")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/plurabase/plurabase/plugins/schema-diff").CombinedOutput()
	require.NoError(t, err, string(built))
	nowhere := projectdb.Address{Host: "127.0.0.1", Port: 1, Role: "postgres", Password: "hush"}
	_, err = schemadiff.Run(t.Context(), program, schemadiff.Request{From: nowhere, To: nowhere})
	require.ErrorIs(t, err, projectdb.ErrUnreachable)

	_, err = schemadiff.Run(t.Context(), filepath.Join(t.TempDir(), "gone"), schemadiff.Request{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
