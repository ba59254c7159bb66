package docker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLastLinesAreKept(t *testing.T) {
	t.Parallel()
	kept := &lastLines{lines: 3, size: 10}
	for i, text := range []string{"one", "two", "three\r", "four", "a line of more than ten bytes", "x", "y"} {
		_, err := fmt.Fprintf(kept, "2026-03-01T12:00:0%d.5Z %s\n", i, text)
		require.NoError(t, err)
		if i == 3 {
			require.Equal(t, []string{"three", "four"}, texts(kept), "no more bytes than were asked for")
		}
		if i == 4 {
			require.Len(t, kept.all, 1, "a long line is shown alone")
		}
	}
	_, err := kept.Write([]byte("the rest of something\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y"}, texts(kept))
	require.Equal(t, "2026-03-01T12:00:06.5Z", kept.all[1].At.Format("2006-01-02T15:04:05.9Z07:00"))
}

func texts(kept *lastLines) (all []string) {
	for _, line := range kept.all {
		all = append(all, line.Text)
	}
	return all
}
