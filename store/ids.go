package store

import (
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
)

// Ref names a project: 20 letters from a to z, the form that the supabase CLI demands.
type Ref string

var refPattern = regexp.MustCompile(`^[a-z]{20}$`)

// ParseRef returns s as a Ref, and false when it has not the form of one.
func ParseRef(s string) (Ref, bool) { return Ref(s), refPattern.MatchString(s) }

// Slug names an organization in URLs. New ones have the form of a ref, as upstream's have.
type Slug string

const letters = "abcdefghijklmnopqrstuvwxyz"

// newLetters returns n random letters, each of the 26 as likely as the next.
func newLetters(random io.Reader, n int) (string, error) {
	// A byte below 234, the largest multiple of 26 in a byte, maps evenly to a letter; others are drawn again.
	const limit = 256 - 256%len(letters)
	out := make([]byte, 0, n)
	draw := make([]byte, 2*n)
	for len(out) < n {
		if _, err := io.ReadFull(random, draw); err != nil {
			return "", fmt.Errorf("draw random letters: %w", err)
		}
		for _, b := range draw {
			if int(b) < limit && len(out) < n {
				out = append(out, letters[int(b)%len(letters)])
			}
		}
	}
	return string(out), nil
}

// newHex returns n random bytes as 2n hexadecimal digits.
func newHex(random io.Reader, n int) (string, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("draw random bytes: %w", err)
	}
	return hex.EncodeToString(raw), nil
}
