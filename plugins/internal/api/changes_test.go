package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/plurabase/plurabase/store"
)

// change is something that happens in a place, and what is answered otherwise because of it.
type change struct {
	happens string   // in a few words
	answers []string // the paths asked before and after, with queries; {ref}, {slug} and what prepare returns are filled in
	as      string   // the GoTrue id of who asks; the Owner where empty
	once    bool     // each answer is given once
	// prepare makes what has to be there before the first question, and returns parameters by name.
	prepare func(w *world, p place) map[string]string
	do      func(w *world, p place, made map[string]string)
}

// see makes one change in a place of its own, and looks at the answers before and after.
func (w *world) see(one change) {
	w.t.Helper()
	p := w.place()
	defer w.abandon(p)
	made := map[string]string{}
	if one.prepare != nil {
		made = one.prepare(w, p)
	}
	id := one.as
	if id == "" {
		id = callers[2].id
	}
	ask := func(path string) string {
		for name, value := range made {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		return sealed.ReplaceAllString(w.succeed(session(w.t, id, email(id)), http.MethodGet, p.fill(path), "").Body.String(), "")
	}
	before := map[string]string{}
	for _, path := range one.answers {
		before[path] = ask(path)
		if one.once {
			continue
		}
		assert.Equal(w.t, before[path], ask(path), "%s: the answer of %s changes by itself", one.happens, path)
	}
	one.do(w, p, made)
	for _, path := range one.answers {
		assert.NotEqual(w.t, before[path], ask(path), "%s: the answer of %s stays", one.happens, path)
	}
}

func TestAnOrganizationsChangesAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, one := range organizationChanges {
		w.see(one)
	}
}

func TestAProjectsChangesAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, one := range slices.Concat(projectChanges, configChanges) {
		w.see(one)
	}
}

// sends is a change made by a request of the Owner's.
func sends(method, path, body string) func(*world, place, map[string]string) {
	return func(w *world, p place, made map[string]string) {
		w.t.Helper()
		path, body := path, body // each time from the pattern: tests may be run several times
		for name, value := range made {
			path, body = strings.ReplaceAll(path, "{"+name+"}", value), strings.ReplaceAll(body, "{"+name+"}", value)
		}
		w.succeed(w.as(store.RoleOwner), method, p.fill(path), p.fill(body))
	}
}
