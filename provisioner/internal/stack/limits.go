package stack

import (
	"fmt"
	"strings"
)

// Limits are what a container may use at most.
type Limits struct {
	MemoryBytes int64
	MilliCPUs   int64 // 1000 are one core
	Processes   int64
}

const gibibyte = 1 << 30

// sizes are the memory and cores of upstream's compute sizes (https://supabase.com/docs/guides/platform/compute-and-disk).
// Those that share their cores there are given two here.
var sizes = map[string]struct {
	memory int64
	cores  int64
}{
	"nano":     {gibibyte / 2, 2},
	"micro":    {1 * gibibyte, 2},
	"small":    {2 * gibibyte, 2},
	"medium":   {4 * gibibyte, 2},
	"large":    {8 * gibibyte, 2},
	"xlarge":   {16 * gibibyte, 4},
	"2xlarge":  {32 * gibibyte, 8},
	"4xlarge":  {64 * gibibyte, 16},
	"8xlarge":  {128 * gibibyte, 32},
	"12xlarge": {192 * gibibyte, 48},
	"16xlarge": {256 * gibibyte, 64},
}

// databaseProcesses bounds a runaway; Postgres takes a process for each connection, at most some 500 on the largest size.
const databaseProcesses = 2000

// databaseLimits returns the limits of a compute size, which upstream writes with or without `ci_`.
func databaseLimits(computeSize string) (Limits, error) {
	size, known := sizes[strings.TrimPrefix(computeSize, "ci_")]
	if !known {
		return Limits{}, fmt.Errorf("there is no compute size %q", computeSize)
	}
	return Limits{MemoryBytes: size.memory, MilliCPUs: size.cores * 1000, Processes: databaseProcesses}, nil
}
