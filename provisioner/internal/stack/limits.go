package stack

import "github.com/plurabase/plurabase/store"

// Limits are what a container may use at most.
type Limits struct {
	MemoryBytes int64
	MilliCPUs   int64 // 1000 are one core
	Processes   int64 // with their threads
}

// processes bounds a runaway. Postgres takes one for each connection, at most some 500 on the largest size; the runtimes of
// the other services take some threads a core.
const processes = 2000

const mebibyte = 1 << 20

// limits are a service's on a compute size.
func (d declaration) limits(size store.ComputeSize) Limits {
	memory := size.MemoryBytes
	if d.memory > 0 {
		memory = max(d.memory*mebibyte, size.MemoryBytes/d.share)
	}
	return Limits{MemoryBytes: memory, MilliCPUs: size.Cores * 1000, Processes: processes}
}
