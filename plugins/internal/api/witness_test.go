package api

import (
	"crypto/sha256"
	stdflag "flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// witness looks on while this package's tests ask: of each real route that reads, one of them has to see the same question of the same
// caller answered otherwise, because something was changed in between. A route that answers what nobody computed is found by it.
type witness struct {
	mutex   sync.Mutex
	answers map[question][sha256.Size]byte
	changed map[string]bool // by path, of those questions whose answer was seen to change
}

// question is what one caller asks in one test.
type question struct{ test, authorization, url string }

var looksOn = witness{answers: map[question][sha256.Size]byte{}, changed: map[string]bool{}}

// sealed are what is encrypted anew, with another nonce, for each answer; and what is drawn anew to part an answer's files.
var sealed = regexp.MustCompile(`"(connectionString|connection_string_read_only)":"[^"]*"|[?&]auth_id=[^&\n]*|--[0-9a-f]{60}`)

func (w *witness) note(test string, r *http.Request, answer *httptest.ResponseRecorder) {
	if r.Method != http.MethodGet || answer.Code >= http.StatusBadRequest {
		return
	}
	// Of what sends a browser on, where to is the answer.
	digest := sha256.Sum256(sealed.ReplaceAll([]byte(answer.Header().Get("Location")+"\n"+answer.Body.String()), nil))
	asked := question{test, r.Header.Get("Authorization"), r.URL.String()}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if before, again := w.answers[asked]; again && before != digest {
		w.changed[r.URL.Path] = true
	}
	w.answers[asked] = digest
}

// unchanging are the real routes whose answers no test saw change.
func (w *witness) unchanging() (paths []string) {
	for _, r := range New(Dependencies{}).routes {
		if r.kind != Real || r.method != http.MethodGet || constantAnswers[r.path] != "" {
			continue
		}
		pattern := regexp.MustCompile("^" + parameter.ReplaceAllLiteralString(r.path, "[^/]+") + "$")
		seen := false
		for path := range w.changed {
			seen = seen || pattern.MatchString(path)
		}
		if !seen {
			paths = append(paths, r.path)
		}
	}
	slices.Sort(paths)
	return paths
}

// constantAnswers are real, and the same for as long as a process runs, with the reason.
var constantAnswers = map[string]string{
	"/platform/organizations/{slug}/entitlements": everythingAllowed,
	"/platform/plans/features":                    everythingAllowed,
	"/platform/status":                            "It says ok or, where the platform's database cannot be reached, is a 503.",
	"/v1/organizations/{slug}/entitlements":       everythingAllowed,
}

// everythingAllowed is why entitlements stay, whatever the instance: nothing is sold in plans, and no setting withholds a feature.
const everythingAllowed = "Every organization may use every feature that Studio knows, by a list in the code that follows no setting."

// witnessed is a run of tests that fails where a real answer was never seen to change. A run of some tests alone sees too little.
type witnessed struct{ tests interface{ Run() int } }

func (w witnessed) Run() int {
	code := w.tests.Run()
	if code != 0 || stdflag.Lookup("test.run").Value.String() != "" || stdflag.Lookup("test.skip").Value.String() != "" {
		return code
	}
	if paths := looksOn.unchanging(); len(paths) > 0 {
		fmt.Fprintf(os.Stderr, "no test changes anything and sees the answers of these real routes change:\n  %s\n", strings.Join(paths, "\n  "))
		return 1
	}
	return code
}
