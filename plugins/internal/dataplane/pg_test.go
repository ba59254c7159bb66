package dataplane_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

// at is where postgres-meta is.
func at(address string) func() (netip.AddrPort, error) {
	return func() (netip.AddrPort, error) { return netip.ParseAddrPort(address) }
}

// withMeta is a gateway before a shop whose database is known, and that serves /pg.
func withMeta(t *testing.T, change ...func(*store.GatewayProject)) *dataplane.Gateway {
	t.Helper()
	p := shopProject()
	p.DatabaseHost, p.DatabasePort = "10.9.1.9", 5432
	for _, f := range change {
		f(&p)
	}
	_, table := open(t, newProjects(p))
	return dataplane.New(table, dataplane.Settings{
		Domain: "localhost", Meta: dataplane.PostgresMeta{Target: at("10.8.0.1:8080"), CryptoKey: "key"},
	}, func() time.Time { return now }, quiet())
}

func TestASecretKeyOpensTheProjectsDatabaseByPostgresMeta(t *testing.T) {
	t.Parallel()
	gateway := withMeta(t)
	for name, r := range map[string]dataplane.Request{
		"secret":                  {APIKey: secretKey},
		"secret in Authorization": {Authorization: "Bearer " + secretKey},
		"beside a session":        {APIKey: secretKey, Authorization: "Bearer " + legacy(t, shop, "authenticated")},
		"service_role":            {APIKey: legacy(t, shop, "service_role")},
	} {
		for target, path := range map[string]string{
			"/pg/tables?limit=1": "/tables", "/pg/query": "/query", "//pg//tables//1": "/tables/1", "/pg/generators/typescript": "/generators/typescript", "/pg/tables/": "/tables/",
		} {
			r.Host, r.Target = shopHost, target
			upstream, refusal := gateway.Route(r)
			require.Nil(t, refusal, "%s: %s", name, target)
			require.Equal(t, "10.8.0.1:8080", upstream.Target)
			require.Equal(t, path, upstream.Path)
			require.Regexp(t, "^U2FsdGVkX1", upstream.Headers["x-connection-encrypted"], "`Salted__`")
			for _, one := range []string{"pg", "x-pg-application-name", "authorization", "apikey", "cookie"} {
				value, cleared := upstream.Headers[one]
				require.True(t, cleared, one)
				require.Empty(t, value)
			}
		}
	}
}

func TestNoOtherKeyOpensTheDatabase(t *testing.T) {
	t.Parallel()
	gateway := withMeta(t)
	temporary := dataplane.TemporaryPrefix + legacy(t, shop, "service_role", jwt.MapClaims{dataplane.KindClaim: dataplane.KindTemporary})
	for name, test := range map[string]struct {
		r      dataplane.Request
		status int
	}{
		"none":                       {dataplane.Request{}, http.StatusUnauthorized},
		"in the URL":                 {dataplane.Request{Target: "/pg/tables?apikey=" + secretKey}, http.StatusUnauthorized},
		"a session":                  {dataplane.Request{Authorization: "Bearer " + legacy(t, shop, "service_role")}, http.StatusUnauthorized},
		"publishable":                {dataplane.Request{APIKey: publishable}, http.StatusForbidden},
		"anon":                       {dataplane.Request{APIKey: legacy(t, shop, "anon")}, http.StatusForbidden},
		"of another role":            {dataplane.Request{APIKey: workerKey}, http.StatusForbidden},
		"Studio's for a while":       {dataplane.Request{APIKey: temporary}, http.StatusForbidden},
		"another project's":          {dataplane.Request{APIKey: legacy(t, blog, "service_role")}, http.StatusUnauthorized},
		"an unknown one":             {dataplane.Request{APIKey: opaque(1)}, http.StatusUnauthorized},
		"a secret one in a browser":  {dataplane.Request{APIKey: secretKey, UserAgent: browser}, http.StatusUnauthorized},
		"publishable with a session": {dataplane.Request{APIKey: publishable, Authorization: "Bearer " + legacy(t, shop, "service_role")}, http.StatusForbidden},
	} {
		if test.r.Target == "" {
			test.r.Target = "/pg/tables"
		}
		require.Equal(t, test.status, refused(t, gateway, test.r).Status, name)
	}
}

func TestOfPostgresMetaOnlyWhatIsOfTheDatabaseIsReached(t *testing.T) {
	t.Parallel()
	gateway := withMeta(t)
	for _, path := range []string{"/pg", "/pg/", "/pg/health", "/pg/documentation/json", "/pg/metrics", "/pg/Tables", "/pg/tables;/x", "/pg/tablesx"} {
		require.Equal(t, http.StatusNotFound, refused(t, gateway, dataplane.Request{Target: path, APIKey: secretKey}).Status, path)
	}
	for _, path := range []string{"/pg/tables/..", "/pg/tables/%2e%2e/health", "/pg/tables%2f..%2fhealth", "/pg/%68ealth", "/pg/tables/%31"} {
		require.Equal(t, http.StatusBadRequest, refused(t, gateway, dataplane.Request{Target: path, APIKey: secretKey}).Status, path)
	}
}

func TestADatabaseThatIsNotThereIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	r := dataplane.Request{Target: "/pg/tables", APIKey: secretKey}
	require.Equal(t, http.StatusServiceUnavailable, refused(t, withMeta(t, func(p *store.GatewayProject) { p.DatabaseHost = "" }), r).Status)
	require.Equal(t, "The project is paused.", refused(t, withMeta(t, func(p *store.GatewayProject) { p.Status = store.StatusInactive }), r).Message)
	_, table := open(t, newProjects(shopProject()))
	lost := dataplane.New(table, dataplane.Settings{Domain: "localhost", Meta: dataplane.PostgresMeta{Target: at("nowhere")}}, time.Now, quiet())
	require.Equal(t, http.StatusServiceUnavailable, refused(t, lost, r).Status)
	off, _ := open(t, newProjects(shopProject()))
	require.Equal(t, http.StatusNotFound, refused(t, off, r).Status)
}
