package store

import "strings"

// ComputeSize is what a project's database may use at most. The other services get less: provisioner/internal/stack.
type ComputeSize struct {
	Name        string
	MemoryBytes int64
	Cores       int64
}

const gibibyte = 1 << 30

// ComputeSizes are upstream's, the smallest first (https://supabase.com/docs/guides/platform/compute-and-disk). Those
// that share their cores there are given two here.
var ComputeSizes = []ComputeSize{
	{"nano", gibibyte / 2, 2},
	{"micro", 1 * gibibyte, 2},
	{"small", 2 * gibibyte, 2},
	{"medium", 4 * gibibyte, 2},
	{"large", 8 * gibibyte, 2},
	{"xlarge", 16 * gibibyte, 4},
	{"2xlarge", 32 * gibibyte, 8},
	{"4xlarge", 64 * gibibyte, 16},
	{"8xlarge", 128 * gibibyte, 32},
	{"12xlarge", 192 * gibibyte, 48},
	{"16xlarge", 256 * gibibyte, 64},
}

// ComputeSizeNamed looks a size up by its name, which upstream writes with or without `ci_`.
func ComputeSizeNamed(name string) (size ComputeSize, known bool) {
	for _, one := range ComputeSizes {
		if one.Name == strings.TrimPrefix(name, "ci_") {
			return one, true
		}
	}
	return ComputeSize{}, false
}
