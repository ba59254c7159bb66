package store

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRefsAreTwentyLetters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"abcdefghijklmnopqrst":    true,
		"abcdefghijklmnopqrs":     false,
		"abcdefghijklmnopqrstu":   false,
		"Abcdefghijklmnopqrst":    false,
		"abcdefghij1lmnopqrst":    false,
		"abcdefghijklmnopqrst\n":  false,
		"../../../etc/passwd.txt": false,
		"":                        false,
	} {
		_, ok := ParseRef(text)
		require.Equal(t, want, ok, "%q", text)
	}
}

func TestEveryLetterIsDrawn(t *testing.T) {
	t.Parallel()
	drawn, err := newLetters(rand.Reader, 10_000)
	require.NoError(t, err)
	require.Len(t, drawn, 10_000)
	for _, letter := range letters {
		require.Contains(t, drawn, string(letter))
	}
}
