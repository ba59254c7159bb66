package stack

import (
	"fmt"

	"github.com/plurabase/plurabase/store"
)

// Limits are what a container may use at most.
type Limits struct {
	MemoryBytes int64
	MilliCPUs   int64 // 1000 are one core
	Processes   int64
}

// databaseProcesses bounds a runaway; Postgres takes a process for each connection, at most some 500 on the largest size.
const databaseProcesses = 2000

// databaseLimits returns the limits of a compute size.
func databaseLimits(computeSize string) (Limits, error) {
	size, known := store.ComputeSizeNamed(computeSize)
	if !known {
		return Limits{}, fmt.Errorf("there is no compute size %q", computeSize)
	}
	return Limits{MemoryBytes: size.MemoryBytes, MilliCPUs: size.Cores * 1000, Processes: databaseProcesses}, nil
}
