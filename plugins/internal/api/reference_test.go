package api

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	kept, err := os.ReadFile("../../../docs/api.md")
	require.NoError(t, err)
	require.Equal(t, New(Dependencies{}).Reference(), string(kept), "docs/api.md is not current: run `make docs`")
}
