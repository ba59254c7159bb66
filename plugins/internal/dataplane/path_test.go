package dataplane_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

func TestAPathLeadsToTheServiceThatUpstreamsGatewayHasThere(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	targets := shopProject().Targets
	for path, want := range map[string]struct{ service, path string }{
		"/auth/v1/token?grant_type=password":                  {"auth", "/token"},
		"/auth/v1":                                            {"auth", "/"},
		"/auth/v1/":                                           {"auth", "/"},
		"/auth/v1/verify":                                     {"auth", "/verify"},
		"/auth/v1/.well-known/jwks.json":                      {"auth", "/.well-known/jwks.json"},
		"/sso/saml/acs":                                       {"auth", "/sso/saml/acs"},
		"/.well-known/oauth-authorization-server":             {"auth", "/.well-known/oauth-authorization-server"},
		"/.well-known/oauth-authorization-server/auth/v1":     {"auth", "/.well-known/oauth-authorization-server/auth/v1"},
		"/rest/v1/todos?select=*&name=eq.a%2Fb":               {"rest", "/todos"},
		"/rest/v1":                                            {"rest", "/"},
		"/rest/v1/rpc/sum":                                    {"rest", "/rpc/sum"},
		"//rest//v1//todos":                                   {"rest", "/todos"},
		"/graphql/v1":                                         {"rest", "/rpc/graphql"},
		"/graphql/v1/":                                        {"rest", "/rpc/graphql"},
		"/realtime/v1/websocket?vsn=1.0.0":                    {"realtime", "/socket/websocket"},
		"/realtime/v1/api/broadcast":                          {"realtime", "/api/broadcast"},
		"/realtime/v1/apis":                                   {"realtime", "/socket/apis"},
		"/storage/v1/object/public/pictures/a%20b.png":        {"storage", "/object/public/pictures/a%20b.png"},
		"/storage/v1/object/pictures/ä.png":                   {"storage", "/object/pictures/ä.png"},
		"/storage/v1/s3/bucket//key":                          {"storage", "/s3/bucket//key"},
		"/storage/v1/s3/bucket/a%2Fb":                         {"storage", "/s3/bucket/a%2Fb"},
		"/storage/v1/object/b/..hidden/...":                   {"storage", "/object/b/..hidden/..."},
		"/storage/v1":                                         {"storage", "/"},
		"/functions/v1/hello/world":                           {"functions", "/hello/world"},
		"/functions/v1/hello?redirect=http://169.254.169.254": {"functions", "/hello"},
	} {
		for form, request := range map[string]dataplane.Request{
			"host": {Host: shopHost, Target: path},
			"path": {Host: "localhost:8000", Target: "/p/" + string(shop) + path},
		} {
			request.APIKey = publishable
			upstream, refusal := gateway.Route(request)
			require.Nil(t, refusal, "%s by %s", path, form)
			require.Equal(t, targets[want.service].String(), upstream.Target, "%s by %s", path, form)
			require.Equal(t, want.path, upstream.Path, "%s by %s", path, form)
		}
	}
}

func TestWhatIsNoServiceOfAProjectIsNotFound(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for path, status := range map[string]int{
		"/":                            http.StatusNotFound,
		"/rest":                        http.StatusNotFound,
		"/rest/v2/todos":               http.StatusNotFound,
		"/rest/v1x/todos":              http.StatusNotFound,
		"/REST/v1/todos":               http.StatusNotFound,
		"/rest%2fv1/todos":             http.StatusNotFound,
		"/api/platform/profile":        http.StatusNotFound,
		"/pg/query":                    http.StatusNotFound,
		"/graphql/v1/more":             http.StatusNotFound,
		"/mcp":                         http.StatusNotFound,
		"/realtime/v1/api/tenants":     http.StatusForbidden,
		"/realtime/v1/api/tenants/x":   http.StatusForbidden,
		"/realtime/v1//api//tenants/x": http.StatusForbidden,
		"/realtime/v1/api/openapi":     http.StatusForbidden,
	} {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: path, APIKey: secretKey})
		require.NotNil(t, refusal, path)
		require.Equal(t, status, refusal.Status, path)
		require.NotEmpty(t, refusal.Message)
	}
}

func TestAPathThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for _, path := range []string{
		"/rest/v1/../auth/v1/admin/users", "/auth/v1/verify/../admin/users", "/auth/v1/verify/%2e%2e/admin/users",
		"/auth/v1/verify/..%2fadmin/users", "/auth/v1/verify/%2E%2E%2Fadmin", "/auth/v1/./token", "/auth/v1/verify/..",
		"/realtime/v1/api%2f..%2fapi/tenants", "/rest/v1/\\..\\admin", "/rest/v1/%5c..%5cadmin", "/rest/v1/%00", "/rest/v1/%0a",
		"/rest/v1/%", "/rest/v1/%2", "/rest/v1/%zz", "/rest/v1/\xff", "", "*", "rest/v1", "http://other/rest/v1/todos",
		"/p/" + string(blog) + "/../" + string(shop) + "/rest/v1/todos",
	} {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: path, APIKey: secretKey})
		require.NotNil(t, refusal, "%q", path)
		require.Equal(t, http.StatusBadRequest, refusal.Status, "%q", path)
	}
}

func TestAHostNamesOneProjectOrNone(t *testing.T) {
	t.Parallel()
	named := shopProject()
	named.Subdomain, named.Hostname = "my-shop", "shop.example.com"
	thief := running(2, blog)
	thief.Subdomain, thief.Hostname = string(shop), "x.localhost"
	gateway, _ := open(t, newProjects(named, thief))
	for host, found := range map[string]bool{
		shopHost:                                     true,
		string(shop) + ".localhost":                  true,
		string(shop) + ".localhost.":                 true,
		string(shop) + ".LOCALHOST:80":               true,
		strings.ToUpper(string(shop)) + ".localhost": true,
		"my-shop.localhost:8000":                     true,
		"shop.example.com":                           true,
		"Shop.Example.com.:443":                      true,
		"localhost:8000":                             false,
		"x." + shopHost:                              false,
		string(shop) + ".example.com":                false,
		string(shop) + ".localhost.evil.com":         false,
		string(shop) + ".localhost..":                false,
		string(shop) + ".localhost:8000@evil":        false,
		"evil@" + shopHost:                           false,
		string(shop) + ".localhost:":                 false,
		string(shop) + ".localhost:80x":              false,
		string(shop) + ".localhost/x":                false,
		string(shop) + "%2elocalhost":                false,
		"[::1]:8000":                                 false,
		"":                                           false,
		".localhost":                                 false,
		"x.localhost":                                false, // under the domain no hostname counts
		"a.shop.example.com":                         false,
	} {
		upstream, refusal := gateway.Route(dataplane.Request{Host: host, Target: "/auth/v1/verify"})
		if !found {
			require.NotNil(t, refusal, host)
			require.Equal(t, http.StatusNotFound, refusal.Status, host)
			continue
		}
		require.Nil(t, refusal, host)
		require.Equal(t, named.Targets[store.ServiceAuth].String(), upstream.Target, host)
	}
}

func TestAHostThatNamesAProjectDoesNotReachAnotherByPath(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject(), running(2, blog)))
	for _, path := range []string{"/p/" + string(blog) + "/auth/v1/verify", "//p//" + string(blog) + "/auth/v1/verify"} {
		_, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: path})
		require.NotNil(t, refusal)
		require.Equal(t, http.StatusNotFound, refusal.Status)
	}
	for _, path := range []string{"/p/", "/p", "/p//", "/p/nobody/auth/v1/verify", "/p/" + strings.ToUpper(string(shop)) + "/auth/v1/verify", "/px/" + string(shop)} {
		_, refusal := gateway.Route(dataplane.Request{Host: "localhost:8000", Target: path})
		require.NotNil(t, refusal, path)
		require.Equal(t, http.StatusNotFound, refusal.Status, path)
	}
}

// ofDatabase are the paths of postgres-meta that lead to the database that it is told.
var ofDatabase = regexp.MustCompile(`^/(column-privileges|columns|config|extensions|foreign-tables|functions|generators|indexes|materialized-views|` +
	`policies|publications|query|roles|schemas|table-privileges|tables|triggers|types|views)(/[^%]*)?$`)

func FuzzNothingButTheProjectsOwnContainersIsReached(f *testing.F) {
	for _, seed := range [][2]string{
		{shopHost, "/rest/v1/todos"},
		{string(blog) + ".localhost", "/storage/v1/object/a%2Fb//c"},
		{"localhost", "/p/" + string(shop) + "/auth/v1/verify"},
		{"x@" + shopHost, "/%2e%2e/auth/v1"},
		{shopHost + ".", "//realtime/v1/api/tenants"},
		{"shop.example.com", "http://10.0.0.1/rest/v1"},
		{shopHost, "/pg/tables?limit=1"},
		{shopHost, "/pg/query/..%2f../health"},
	} {
		f.Add(seed[0], seed[1])
	}
	named := shopProject()
	named.Hostname = "shop.example.com"
	other := running(2, blog)
	other.DatabaseHost, named.DatabaseHost = "10.9.2.9", "10.9.1.9"
	_, table := open(f, newProjects(named, other))
	const meta = "10.8.0.1:8080"
	gateway := dataplane.New(table, dataplane.Settings{
		Domain: "localhost:8000", Meta: dataplane.PostgresMeta{Target: at(meta), CryptoKey: "key"},
	}, func() time.Time { return now }, quiet())
	f.Fuzz(func(t *testing.T, host, target string) {
		upstream, refusal := gateway.Route(dataplane.Request{Host: host, Target: target, APIKey: secretKey})
		if refusal != nil {
			if refusal.Status < 400 || refusal.Status > 599 {
				t.Fatalf("%q %q: status %d", host, target, refusal.Status)
			}
			return
		}
		owner := named
		if strings.Contains(strings.ToLower(host), string(blog)) || !strings.Contains(host, string(shop)) && strings.HasPrefix(strings.TrimLeft(target, "/"), "p/") &&
			strings.Contains(target, "/"+string(blog)+"/") {
			owner = other
		}
		known := upstream.Target == meta && ofDatabase.MatchString(upstream.Path) && upstream.Headers["x-connection-encrypted"] != ""
		for _, address := range owner.Targets {
			known = known || address.String() == upstream.Target
		}
		if !known {
			t.Fatalf("%q %q goes to %s", host, target, upstream.Target)
		}
		if upstream.Path == "" || upstream.Path[0] != '/' || strings.Contains(upstream.Path, "?") {
			t.Fatalf("%q %q asks for %q", host, target, upstream.Path)
		}
		for segment := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(upstream.Path), "%2e", "."), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q %q asks for %q", host, target, upstream.Path)
			}
		}
		if upstream.Target == owner.Targets[store.ServiceRealtime].String() && strings.HasPrefix(upstream.Path, "/api/tenants") {
			t.Fatalf("%q %q manages tenants", host, target)
		}
	})
}
