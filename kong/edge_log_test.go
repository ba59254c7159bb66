package kong_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// TestRequestsToProjectsAreLogged: those that reach a service, and those that the gateway answers in its place.
func TestRequestsToProjectsAreLogged(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceRest)
	w.becomes(http.StatusUnauthorized, p.host(), "/rest/v1/todos")
	answer := w.ask(p.host(), "/rest/v1/todos?select=id&apikey="+p.publishable.Key)
	require.Equal(t, http.StatusOK, answer.status)
	require.Eventually(t, func() bool {
		requests := w.edgeLog(p)
		return len(requests) > 1 && requests[0].Status == http.StatusOK
	}, time.Minute, 100*time.Millisecond)
	requests := w.edgeLog(p)
	proxied, refused := requests[0], requests[1]
	require.Equal(t, []string{"GET", "/rest/v1/todos", "?select=id&apikey=***"}, []string{proxied.Method, proxied.Path, proxied.Search})
	require.Equal(t, []any{http.StatusUnauthorized, "/rest/v1/todos", time.Duration(0)}, []any{refused.Status, refused.Path, refused.Origin})
}
