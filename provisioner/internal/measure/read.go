package measure

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// seen is what stack.Measure printed.
type seen struct {
	measure store.Measure
	cpu     *time.Duration // since the container began
	// findings is what is severely wrong with the database; nil where that is not known.
	findings []store.Finding
}

// read reads the sections that begin with `-- name`. What is missing stays nil.
func read(printed string) seen {
	sections := map[string][]string{}
	name := ""
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		if next, found := strings.CutPrefix(line, "-- "); found {
			name = next
		} else if line != "" {
			sections[name] = append(sections[name], line)
		}
	}
	s := seen{measure: store.Measure{
		DatabaseBytes: number(sections["database"], 0), StorageBytes: number(sections["storage"], 0),
		Connections: number(sections["connections"], 0), MaxConnections: number(sections["most connections"], 0),
		WALBytes: kibibytes(sections["wal"], 0),
	}}
	if disk := sections["disk"]; len(disk) > 1 { // the first line names the columns
		s.measure.DiskBytes, s.measure.DiskUsedBytes, s.measure.DiskFreeBytes = kibibytes(disk[1:], 1), kibibytes(disk[1:], 2), kibibytes(disk[1:], 3)
	}
	if said := sections["read-only"]; len(said) == 1 {
		readOnly := said[0] == "t"
		s.measure.ReadOnly = &readOnly
	}
	s.measure.MemoryBytes, s.findings = memory(sections), findings(sections["findings"])
	if used := number(sections["cpu"], 1); used != nil {
		cpu := time.Duration(*used) * time.Microsecond
		s.cpu = &cpu
	} else if used := number(sections["cpu in nanoseconds"], 0); used != nil {
		cpu := time.Duration(*used)
		s.cpu = &cpu
	}
	return s
}

// findings reads the one line of projectdb.SevereSQL. A statement that failed has none.
func findings(lines []string) []store.Finding {
	var found []projectdb.Finding
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &found) != nil {
		return nil
	}
	told := []store.Finding{}
	for _, one := range found {
		if kind, known := projectdb.LintKinds[one.Lint]; known {
			told = append(told, store.Finding{
				Key: one.CacheKey(), Lint: one.Lint, Category: kind.Category, Title: kind.Title, Detail: one.Detail, Metadata: one.Metadata(),
			})
		}
	}
	return told
}

// memory is what is in use, without files that were not read lately: the kernel gives those back at once. The first version of
// control groups counts those of its children by themselves (`total_inactive_file`, the last line).
func memory(sections map[string][]string) *int64 {
	used := number(sections["memory"], 0)
	if used == nil {
		return nil
	}
	if lines := sections["reclaimable"]; len(lines) > 0 {
		if files := number(lines[len(lines)-1:], 1); files != nil && *files < *used {
			*used -= *files
		}
	}
	return used
}

func kibibytes(lines []string, column int) *int64 {
	n := number(lines, column)
	if n != nil {
		*n *= 1024
	}
	return n
}

// number reads a column of the first line.
func number(lines []string, column int) *int64 {
	if len(lines) == 0 {
		return nil
	}
	fields := strings.Fields(lines[0])
	if column >= len(fields) {
		return nil
	}
	n, err := strconv.ParseInt(fields[column], 10, 64)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}
