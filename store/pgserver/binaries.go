//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled says that Postgres' server is missing on this machine.
var ErrNotInstalled = errors.New("the Postgres server is not installed (Debian and Ubuntu: package postgresql)")

// debianBinaries is where Debian and its family keep one folder a major version: postgresql-common leaves initdb and
// postgres out of PATH.
const debianBinaries = "/usr/lib/postgresql/*/bin"

// FindBinaries returns the folder of the newest Postgres' programs, or ErrNotInstalled.
func FindBinaries() (string, error) { return findBinaries(debianBinaries, "") }

// findBinaries returns the folder with initdb and postgres of one major version, or of the newest one for "".
func findBinaries(pattern, major string) (string, error) {
	for _, dir := range newestFirst(pattern) {
		if complete(dir) && (major == "" || majorOf(dir) == strconv.Itoa(atoi(major))) {
			return dir, nil
		}
	}
	if dir, ok := fromPath(); ok && (major == "" || reportedMajor(dir) == major) {
		return dir, nil
	}
	if major != "" {
		return "", fmt.Errorf("%w: version %s is needed for the data that is there", ErrNotInstalled, major)
	}
	return "", ErrNotInstalled
}

// fromPath follows links, because the programs find their libraries and each other from where they are.
func fromPath() (string, bool) {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", false
	}
	initdb, err = filepath.EvalSymlinks(initdb)
	if err != nil {
		return "", false
	}
	dir := filepath.Dir(initdb)
	return dir, complete(dir)
}

func newestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // fails only for a malformed pattern
	slices.SortFunc(dirs, func(a, b string) int { return atoi(majorOf(b)) - atoi(majorOf(a)) })
	return dirs
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// majorOf reads 15 out of …/postgresql/15/bin.
func majorOf(dir string) string { return filepath.Base(filepath.Dir(dir)) }

// reportedMajor reads 15 out of `postgres (PostgreSQL) 15.18 (Debian …)`.
func reportedMajor(dir string) string {
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() //nolint:noctx // it prints one line and ends
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 3 {
		return ""
	}
	major, _, _ := strings.Cut(fields[2], ".")
	return major
}

// atoi is 0 for what is no number, so that a folder with another name sorts last.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
