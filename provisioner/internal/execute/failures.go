package execute

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// Failures makes steps fail on purpose, so that tests can walk every failure with the real binary. It is a test seam:
// the setting PLURABASE_FAIL is empty outside tests. The nil value fails nothing.
type Failures struct {
	rules map[string]rule // by step

	mutex sync.Mutex
	tries map[string]int // by project and step
}

// rule is how often a step fails; permanent: always, and as something that no repetition mends.
type rule struct {
	times     int
	permanent bool
}

var errOnPurpose = errors.New("failed on purpose, by PLURABASE_FAIL")

// UnmarshalText reads a list of `step:times`, separated by commas: `create-container:db:2` fails that step's first two
// tries in each project, `pull-image:db:permanent` fails it for good.
func (f *Failures) UnmarshalText(text []byte) error {
	f.rules, f.tries = map[string]rule{}, map[string]int{}
	for entry := range strings.SplitSeq(string(text), ",") {
		if entry == "" {
			continue
		}
		colon := strings.LastIndexByte(entry, ':')
		if colon < 1 {
			return fmt.Errorf("%q is not step:times", entry)
		}
		step, times := entry[:colon], entry[colon+1:]
		if times == "permanent" {
			f.rules[step] = rule{permanent: true}
			continue
		}
		count, err := strconv.Atoi(times)
		if err != nil || count < 1 {
			return fmt.Errorf("%q in %q is neither a positive number nor `permanent`", times, entry)
		}
		f.rules[step] = rule{times: count}
	}
	return nil
}

// next returns the failure of a project's next try of a step, nil where it may go on.
func (f *Failures) next(ref, step string) error {
	if f == nil {
		return nil
	}
	rule, listed := f.rules[step]
	switch {
	case !listed:
		return nil
	case rule.permanent:
		return &engine.PermanentError{Err: errOnPurpose}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	key := ref + "/" + step
	f.tries[key]++
	if f.tries[key] <= rule.times {
		return errOnPurpose
	}
	return nil
}
