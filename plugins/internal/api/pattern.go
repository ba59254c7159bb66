package api

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first asked for: one that counts takes a tenth of a
// millisecond and 100 KB, which no plugin should pay at its start.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
