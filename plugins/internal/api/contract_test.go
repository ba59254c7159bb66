package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
)

// TestContract asks every route so that it succeeds, and so that it fails, on a real Postgres, and holds each answer
// against upstream's contract where that is at hand.
func TestContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.PublicURL = "https://localhost:8000" // as in production: over http there is no address for uploads
	w.realDatabase()
	contract, compiler, present := readContract(t)
	if !present {
		t.Logf("upstream's contract is not beside this checkout (%s): shapes are not checked", contractDir)
	}
	seeded := w.place()
	wrong, kinds := 0, map[Kind]int{}
	for _, r := range w.routes {
		p := seeded
		if r.method != http.MethodGet && r.method != http.MethodHead {
			p = w.place() // what one route changes is not what the next one finds
		}
		one, listed := contract[contractKey(r.method, r.path)]
		if listed && one.studio {
			kinds[r.kind]++
		}
		answer := w.askExample(r, p)
		complaints := []string{w.complain(r, one, answer)}
		if complaints[0] == "" && listed && answer.Code < 300 {
			complaints = append(complaints, one.check(t, compiler, answer.Code, answer.Body.Bytes()))
		}
		complaints = append(complaints, w.askWrongly(r, p)...)
		complaints = slices.DeleteFunc(complaints, func(c string) bool { return c == "" })
		if exception, known := exceptions[r.method+" "+r.path]; known && present {
			require.Len(t, complaints, 1, "%s %s: it is no exception any more", r.method, r.path)
			require.Contains(t, complaints[0], exception)
			wrong++
			continue
		}
		if len(complaints) > 0 {
			wrong++
			t.Errorf("%s %s: %s", r.method, r.path, strings.Join(complaints, "; "))
		}
	}
	if !present {
		return
	}
	missing := contract.missing(append(w.Routes(), pgmeta.Routes()...))
	require.LessOrEqual(t, len(missing), unanswered, "Studio's calls that no route answers:\n%s", strings.Join(missing, "\n"))
	for _, line := range pgmeta.Routes() {
		columns := strings.Split(line, "\t")
		if one, listed := contract[contractKey(columns[0], columns[1])]; listed && one.studio {
			kinds[Kind(columns[3])]++
		}
	}
	total := kinds[Real] + kinds[Proxied] + kinds[Empty] + kinds[Unavailable]
	fmt.Printf("contract: %d/%d studio calls, real %d, proxied %d, empty %d, unavailable %d, %d wrong shapes\n",
		total, contract.studioCalls(), kinds[Real], kinds[Proxied], kinds[Empty], kinds[Unavailable], wrong)
}

// exceptions are what the contract has against answers that are right as they are. They count as wrong in the closing line.
var exceptions = map[string]string{
	// The contract knows the hosted clouds alone; Studio shows another name as it is, and its own self-hosted API answers one.
	"GET /platform/projects/{ref}/databases": "'/0/cloud_provider': value must be one of",
	// The contract's schema is of an object without properties; what PostgREST describes has some.
	"GET /v1/projects/{ref}/database/openapi": "maxProperties: got",
}

// unanswered is how many of Studio's calls no route answers yet. It may only fall.
const unanswered = 0

// missing lists Studio's calls that are not among the lines of `-routes`.
func (c contract) missing(lines []string) []string {
	registered := map[string]bool{}
	for _, line := range lines {
		columns := strings.Split(line, "\t")
		registered[contractKey(columns[0], columns[1])] = true
	}
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if c[key].studio && !registered[key] {
			missing = append(missing, key)
		}
	}
	return missing
}

func (c contract) studioCalls() int {
	n := 0
	for _, one := range c {
		if one.studio {
			n++
		}
	}
	return n
}

// askExample sends the request that has to succeed.
func (w *world) askExample(r route, p place) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.example(r, p)()
}

// example prepares what the request that has to succeed needs, and returns what sends it.
func (w *world) example(r route, p place) (send func() *httptest.ResponseRecorder) {
	w.t.Helper()
	one := examples[r.method+" "+r.path]
	path, body := r.path, one.body
	if one.query != "" {
		path += "?" + one.query
	}
	if one.prepare != nil {
		for name, value := range one.prepare(w, p) {
			path, body = strings.ReplaceAll(path, "{"+name+"}", value), strings.ReplaceAll(body, "{"+name+"}", value)
		}
	}
	if body == "" && r.method != http.MethodGet && r.method != http.MethodHead {
		body = anyBody(p)
	}
	path = p.fill(path)
	id := cmp.Or(one.as, callers[2].id)
	return func() *httptest.ResponseRecorder {
		return w.rawAs(one.contentType, session(w.t, id, email(id)), r.method, path, p.fill(body))
	}
}

// complain says what is wrong with the answer to an example; empty where nothing is.
func (w *world) complain(r route, one endpoint, answer *httptest.ResponseRecorder) string {
	w.t.Helper()
	want := examples[r.method+" "+r.path].status
	switch {
	case r.kind == Unavailable || want >= 400:
		refused := answer.Code >= 400 && answer.Code < 500 && (want == 0 || want == answer.Code)
		if !refused || messageOf(answer) == "" && r.method != http.MethodHead {
			return fmt.Sprintf("a refusal has to be a 4xx with a message, not %d %s", answer.Code, answer.Body)
		}
	case answer.Code >= 300 && want != answer.Code:
		return fmt.Sprintf("%d %s", answer.Code, answer.Body)
	}
	if _, known := one.schemas[answer.Code]; len(one.schemas) > 0 && want == 0 && r.kind != Unavailable && !known {
		return fmt.Sprintf("the contract does not have the status %d", answer.Code)
	}
	return ""
}

// askWrongly sends what has to be refused, and says what was wrong with the refusals.
func (w *world) askWrongly(r route, p place) (complaints []string) {
	w.t.Helper()
	path := p.fill(r.path)
	check := func(what string, answer *httptest.ResponseRecorder, want int) {
		switch {
		case want != 0 && answer.Code != want:
			complaints = append(complaints, fmt.Sprintf("%s: %d in place of %d", what, answer.Code, want))
		case answer.Code >= 500:
			complaints = append(complaints, fmt.Sprintf("%s: %d %s %s", what, answer.Code, answer.Body, w.logged))
		case answer.Code >= 400 && r.method != http.MethodHead && !isProblem(answer.Body.Bytes()):
			complaints = append(complaints, fmt.Sprintf("%s: %s is not {\"message\": …}", what, answer.Body))
		}
	}
	if r.permission != access.Anyone() {
		check("without a token", w.raw("", r.method, path, anyBody(p)), http.StatusUnauthorized)
	}
	owner := callers[2].authorization(w.t)
	if strings.Contains(r.path, "{ref}") {
		elsewhere := place{slug: p.slug, ref: strings.Repeat("z", 20)}
		check("an unknown project", w.raw(owner, r.method, elsewhere.fill(r.path), anyBody(p)), http.StatusNotFound)
	}
	if r.method != http.MethodGet && r.method != http.MethodHead {
		check("a broken body", w.raw(owner, r.method, path, `{"name":`), 0)
		check("a body of another type", w.raw(owner, r.method, path, `[1]`), 0)
		check("no body", w.raw(owner, r.method, path, ""), 0)
	}
	return complaints
}

// isProblem tells whether a body is one of our refusals.
func isProblem(body []byte) bool {
	var refusal struct{ Message string }
	return json.Unmarshal(body, &refusal) == nil && refusal.Message != ""
}

func TestEveryExampleIsOfARoute(t *testing.T) {
	t.Parallel()
	registered := map[string]bool{}
	for _, r := range New(Dependencies{}).routes {
		registered[r.method+" "+r.path] = true
	}
	for key := range examples {
		require.True(t, registered[key], key)
	}
}
