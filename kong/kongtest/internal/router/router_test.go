package router_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest/internal/router"
	"github.com/plurabase/plurabase/kong/render"
)

func TestMostSpecificRouteWins(t *testing.T) {
	t.Parallel()
	routes := []render.Route{
		{Name: "studio", Paths: []string{"/"}},
		{Name: "platform", Paths: []string{"/api/platform", "/api/v1"}},
		{Name: "pg-meta", Paths: []string{"/api/platform/pg-meta/"}},
		{Name: "post", Paths: []string{"/"}, Methods: []string{"POST"}},
		{Name: "project", Hosts: []string{"*.localhost"}},
		{Name: "named", Hosts: []string{"named.localhost"}},
		{Name: "start", Hosts: []string{"start.*"}},
		{Name: "project path", Hosts: []string{"*.localhost"}, Paths: []string{"/special"}},
		{Name: "expression", Paths: []string{`~/api/v\d+/x$`}},
		{Name: "second studio", Paths: []string{"/"}},
	}
	tests := []struct{ method, host, path, route, matched string }{
		{"GET", "localhost:8000", "/", "studio", "/"},
		{"GET", "localhost", "/api/platform/x", "platform", "/api/platform"},
		{"GET", "localhost", "/api/platformx", "platform", "/api/platform"},
		{"GET", "localhost", "/api/v1", "platform", "/api/v1"},
		{"GET", "localhost", "/api/platform/pg-meta/x", "pg-meta", "/api/platform/pg-meta/"},
		{"GET", "localhost", "/api/platform/pg-meta", "platform", "/api/platform"},
		{"POST", "localhost", "/api/platform", "post", "/"},
		{"GET", "ref.localhost:8000", "/api/platform/x", "project", ""},
		{"GET", "named.localhost", "/api/platform", "named", ""},
		{"GET", "start.test", "/", "start", ""},
		{"GET", "ref.localhost", "/special/x", "project path", "/special"},
		{"GET", "localhost", "/api/v1/x", "expression", "/api/v1/x"},
		{"GET", "localhost", "/api/v1/x/y", "platform", "/api/v1"},
	}
	r, err := router.New(routes)
	require.NoError(t, err)
	for _, test := range tests {
		match, ok := r.Match(test.method, test.host, test.path)
		require.True(t, ok)
		require.Equal(t, test.route, routes[match.Route].Name, test)
		require.Equal(t, test.matched, match.Matched, test)
	}

	r, err = router.New(routes[4:5])
	require.NoError(t, err)
	_, ok := r.Match("GET", "localhost", "/")
	require.False(t, ok)
}

func TestRouteThatCanNotBeMatchedAsKongDoesIsRefused(t *testing.T) {
	t.Parallel()
	_, err := router.New([]render.Route{{Name: "r", Hosts: []string{"a:80"}}})
	require.EqualError(t, err, `route r: the host "a:80" has a port, which is not supported`)
	_, err = router.New([]render.Route{{Name: "r", Paths: []string{"~/("}}})
	require.ErrorContains(t, err, "route r: compile a path")
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                "",
		"/":               "/",
		"/a/b/":           "/a/b/",
		"/a/./b/../c":     "/a/c",
		"/a/..":           "/",
		"/a/.":            "/a/",
		"/../../a":        "/a",
		"//a///b":         "/a/b",
		"/%61%2f%2F%2e":   "/a%2F%2F.",
		"/a/%2e%2e/b":     "/b",
		"/a%20b%zz%":      "/a b%zz%",
		"/a/..%2fb":       "/a/..%2Fb",
		"/a%25%32%65":     "/a%252e",
		"a/../b":          "/b",
		"./a":             "a",
		"../a":            "a",
		"..":              "",
		"/.hidden/...":    "/.hidden/...",
		"/caf%C3%A9":      "/café",
		"/a/b/../../../c": "/c",
	} {
		require.Equal(t, want, router.Normalize(path), path)
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	require.Equal(t, "/a%20b%C3%A9%22%3C%7C%2f%00?x=1#[;]~_-.", router.Escape("/a bé\"<|%2f\x00?x=1#[;]~_-."))
}

func TestUpstreamPath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base, path, matched string
		strip               bool
		want                string
	}{
		{"", "/a/b", "/a", false, "/a/b"},
		{"/", "/a/b", "/a", false, "/a/b"},
		{"/base", "/", "/", false, "/base"},
		{"/base", "/a", "/a", false, "/base/a"},
		{"/base/", "/a", "/a", false, "/base/a"},
		{"", "/a", "/a", true, "/"},
		{"", "/a/b", "/a", true, "/b"},
		{"", "/ab", "/a", true, "/b"},
		{"/base", "/a", "/a", true, "/base"},
		{"/base", "/a/", "/a/", true, "/base/"},
		{"/base", "/a/b", "/a", true, "/base/b"},
		{"/base", "/ab", "/a", true, "/base/b"},
		{"/base/", "/a", "/a", true, "/base"},
		{"/base/", "/a/", "/a/", true, "/base/"},
		{"/base/", "/a/b", "/a", true, "/base/b"},
		{"/base/", "/ab", "/a", true, "/base/b"},
		{"/base", "/a..", "/a", true, "/base"},
		{"/base", "/a../x", "/a", true, "/base/x"},
		{"/base", "/a./x", "/a", true, "/base/x"},
	}
	for _, test := range tests {
		require.Equal(t, test.want, router.UpstreamPath(test.base, test.path, test.matched, test.strip), test)
	}
}

// FuzzNormalize looks for paths that a second look would read otherwise: dot segments that are left over.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2E/", "//", "/a/.%2e", "/..%2f..", "/./../..//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		clean := router.Normalize(path)
		if !strings.HasPrefix(clean, "/") {
			t.Fatalf("%q became %q", path, clean)
		}
		for segment := range strings.SplitSeq(clean, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q became %q", path, clean)
			}
		}
		if strings.Contains(clean, "//") {
			t.Fatalf("%q became %q", path, clean)
		}
	})
}
