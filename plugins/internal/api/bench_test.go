package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// BenchmarkNew is what every start of the plugin takes for its routes.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Dependencies{})
	}
}

// BenchmarkAnswers is what an answer costs without the gateway: with what the plugin holds in memory, on a Postgres beside it.
func BenchmarkAnswers(b *testing.B) {
	opened, _ := storetest.NewWithURL(b, store.WithMemory())
	a, owner := newAPI(b, opened, io.Discard), session(b, ada, "ada@example.com")
	made := func(path, body, name string) (value string) {
		request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		request.Header.Set("Authorization", owner)
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		a.ServeHTTP(recorder, request)
		require.Equal(b, http.StatusCreated, recorder.Code, recorder.Body)
		var answer map[string]any
		require.NoError(b, json.Unmarshal(recorder.Body.Bytes(), &answer))
		return answer[name].(string)
	}
	slug := made("/platform/organizations", `{"name":"Acme","tier":"tier_free"}`, "slug")
	ref := made("/platform/projects", `{"organization_slug":"`+slug+`","name":"shop","db_pass":"correct horse","cloud_provider":"AWS","db_region":"Europe"}`, "ref")
	for _, path := range []string{
		"/platform/profile", "/platform/profile/permissions", "/platform/organizations", "/platform/projects",
		"/platform/projects/" + ref, "/platform/projects/" + ref + "/settings", "/platform/status",
	} {
		request := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		request.Header.Set("Authorization", owner)
		b.Run(request.URL.Path[len("/platform/"):], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				recorder := httptest.NewRecorder()
				a.ServeHTTP(recorder, request)
				require.Equal(b, http.StatusOK, recorder.Code)
			}
		})
	}
}
