package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

func TestARouteWithoutAUsablePermissionIsNotRegistered(t *testing.T) {
	t.Parallel()
	tests := map[string]route{
		"none":                        {method: http.MethodGet, path: "/a", kind: Real},
		"a project that nobody names": {method: http.MethodGet, path: "/b", permission: access.InProject(access.Read, "projects"), kind: Real},
		"an organization likewise":    {method: http.MethodGet, path: "/c", permission: access.InOrganization(access.Read, "organizations"), kind: Real},
		"no word on its answer":       {method: http.MethodGet, path: "/e", permission: access.SignedIn()},
		"nothing without a reason":    {method: http.MethodGet, path: "/f", permission: access.SignedIn(), kind: Empty},
		"a reason for nothing":        {method: http.MethodGet, path: "/g", permission: access.SignedIn(), kind: Real, because: "of nothing"},
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Panics(t, func() {
				handle(New(Dependencies{}), r, func(context.Context, *call, *none) (string, error) { return "", nil })
			})
		})
	}
}

type embedded struct {
	Ref string `path:"ref"`
}

func TestAParameterThatWouldNotBeReadIsNotRegistered(t *testing.T) {
	t.Parallel()
	type input struct{ embedded }
	r := route{method: http.MethodGet, path: "/d/{ref}", permission: access.SignedIn(), kind: Real}
	require.PanicsWithValue(t, "route GET /d/{ref}: huma reads nothing into Ref, for what embeds it is not exported", func() {
		handle(New(Dependencies{}), r, func(context.Context, *call, *input) (string, error) { return "", nil })
	})
}

func TestAPanicIsA500ForThatRequestAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	handle(b.API, route{method: http.MethodGet, path: "/panic", permission: access.Anyone(), kind: Real},
		func(context.Context, *call, *none) (string, error) { panic("with a secret") })
	recorder := b.raw("", http.MethodGet, "/panic", "")
	require.Equal(t, http.StatusInternalServerError, recorder.Code)
	require.NotContains(t, recorder.Body.String(), "secret")
	require.Contains(t, b.logged.String(), "with a secret")
	require.Equal(t, http.StatusNotFound, b.raw("", http.MethodGet, "/other", "").Code)
}

func TestAnUnexpectedErrorTellsTheRequestsIDAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	handle(b.API, route{method: http.MethodGet, path: "/broken", permission: access.Anyone(), kind: Real},
		func(context.Context, *call, *none) (string, error) {
			return "", errors.New(`relation "platform.nothing" does not exist (SQLSTATE 42P01)`)
		})
	recorder := b.raw("", http.MethodGet, "/broken", "")
	require.Equal(t, http.StatusInternalServerError, recorder.Code)
	require.NotContains(t, recorder.Body.String(), "SQLSTATE")
	require.Contains(t, b.logged.String(), "SQLSTATE")
	var answer struct{ Message string }
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
	id := strings.TrimSuffix(strings.TrimPrefix(answer.Message, "Something went wrong on the server. The request's id is "), ".")
	require.Contains(t, b.logged.String(), "request_id="+id)
}

func TestEveryRouteIsInTheDocumentAndTheList(t *testing.T) {
	t.Parallel()
	a := New(Dependencies{})
	printed, err := a.OpenAPI()
	require.NoError(t, err)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Permission string `json:"x-permission"`
			Kind       string `json:"x-kind"`
		}
	}
	require.NoError(t, json.Unmarshal(printed, &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	for _, line := range a.Routes() {
		columns := strings.Split(line, "\t")
		require.Len(t, columns, 4)
		operation := document.Paths[columns[1]][strings.ToLower(columns[0])]
		require.Equal(t, []string{operation.Permission, operation.Kind}, columns[2:], line)
	}
}
