// Package migrations holds the platform's schema as numbered SQL files. Package apply applies them.
package migrations

import (
	"embed"
	"strconv"
	"strings"
)

// Files are the migrations, as golang-migrate names them.
//
//go:embed *.sql
var Files embed.FS

// Newest is the number of the newest migration: the schema that this program works with.
func Newest() uint {
	var newest uint
	entries, _ := Files.ReadDir(".") // embedded: it cannot fail
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		if version, err := strconv.ParseUint(number, 10, 32); err == nil {
			newest = max(newest, uint(version))
		}
	}
	return newest
}
