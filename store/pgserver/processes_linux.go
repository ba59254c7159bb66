package pgserver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processesOf returns the ids of the Postgres processes that work in a cluster: each has it as its current folder.
func processesOf(data string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil // no /proc: Postgres' own check of postmaster.pid has to do
	}
	data, err = filepath.EvalSymlinks(data)
	if err != nil {
		return nil // no cluster yet
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !worksIn(filepath.Join("/proc", entry.Name()), data) {
			continue
		}
		pids = append(pids, pid)
	}
	return pids
}

// worksIn skips other programs, such as a shell in that folder. Links that can't be read belong to somebody else.
func worksIn(process, data string) bool {
	folder, err := os.Readlink(filepath.Join(process, "cwd"))
	if err != nil || folder != data {
		return false
	}
	program, err := os.Readlink(filepath.Join(process, "exe"))
	return err == nil && strings.HasPrefix(filepath.Base(program), "postgres")
}
