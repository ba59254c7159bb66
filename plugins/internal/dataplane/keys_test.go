package dataplane_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

// refused is what a request to the shop is refused with.
func refused(t *testing.T, gateway *dataplane.Gateway, r dataplane.Request) *dataplane.Refusal {
	t.Helper()
	r.Host = shopHost
	_, refusal := gateway.Route(r)
	require.NotNil(t, refusal)
	return refusal
}

// sent are the headers that a request to the shop goes on with.
func sent(t *testing.T, gateway *dataplane.Gateway, r dataplane.Request) map[string]string {
	t.Helper()
	r.Host = shopHost
	upstream, refusal := gateway.Route(r)
	require.Nil(t, refusal)
	return upstream.Headers
}

func TestAnOpaqueKeyBecomesAJWTOfTheProject(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for key, role := range map[string]string{publishable: "anon", secretKey: "service_role", workerKey: "worker"} {
		for name, r := range map[string]dataplane.Request{
			"alone":                   {APIKey: key},
			"repeated":                {APIKey: key, Authorization: "Bearer " + key},
			"in the query":            {Target: "/rest/v1/todos?select=*&apikey=" + key},
			"in Authorization alone":  {Authorization: "Bearer " + key},
			"beside another opaque":   {APIKey: key, Authorization: "bearer sb_secret_of_somebody_else"},
			"of a server like this":   {APIKey: key, UserAgent: "Mozilla/5.0 (Windows NT 10.0; en-US) WindowsPowerShell/5.1"},
			"of a server like others": {APIKey: key, UserAgent: "node"},
		} {
			if r.Target == "" {
				r.Target = "/rest/v1/todos"
			}
			claims := claimsOf(t, shop, sent(t, gateway, r)["authorization"])
			require.Equal(t, role, claims["role"], name)
			require.Equal(t, string(shop), claims["ref"], name)
		}
	}
}

func TestAUsersSessionIsKept(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	session := "Bearer " + legacy(t, shop, "authenticated", jwt.MapClaims{"sub": "somebody"})
	for _, key := range []string{publishable, legacy(t, shop, "anon")} {
		require.Equal(t, session, sent(t, gateway, dataplane.Request{Target: "/rest/v1/todos", APIKey: key, Authorization: session})["authorization"])
	}
}

func TestALegacyKeyIsGoodIfTheProjectsSecretSignedIt(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject(), running(2, blog)))
	for _, role := range []string{"anon", "service_role"} {
		key := legacy(t, shop, role)
		require.Equal(t, "Bearer "+key, sent(t, gateway, dataplane.Request{Target: "/rest/v1/todos", APIKey: key})["authorization"])
	}
	alien, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"role": "service_role"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	for name, key := range map[string]string{
		"another project's":             legacy(t, blog, "service_role"),
		"another project's, same key":   legacy(t, shop, "service_role", jwt.MapClaims{"ref": string(blog)}),
		"expired":                       legacy(t, shop, "service_role", jwt.MapClaims{"exp": now.Add(-time.Second).Unix()}),
		"a user's session":              legacy(t, shop, "authenticated"),
		"without a role":                legacy(t, shop, ""),
		"what the services are shown":   legacy(t, shop, "service_role", jwt.MapClaims{"plurabase": "minted"}),
		"unsigned":                      alien,
		"no JWT":                        "x",
		"two keys":                      legacy(t, shop, "anon") + ", " + legacy(t, shop, "anon"),
		"an opaque key of nobody's":     "sb_secret_nobody",
		"an opaque key and more":        secretKey + "x",
		"an opaque key in upper case":   "SB_SECRET_0123456789abcdefghijkl_ABCDEFGH",
		"a publishable key's beginning": publishable[:20],
	} {
		for _, path := range []string{"/rest/v1/todos", "/auth/v1/token", "/realtime/v1/websocket", "/graphql/v1", "/storage/v1/object/a/b"} {
			refusal := refused(t, gateway, dataplane.Request{Target: path, APIKey: key})
			require.Equal(t, http.StatusUnauthorized, refusal.Status, name)
			require.Equal(t, "Invalid API key", refusal.Message, name)
		}
	}
}

func TestAKeyThatExpiresIsNotRememberedAsGood(t *testing.T) {
	t.Parallel()
	clock := now
	s := newProjects(shopProject())
	_, table := open(t, s)
	gateway := dataplane.New(table, dataplane.Settings{Domain: "localhost"}, func() time.Time { return clock }, quiet())
	r := dataplane.Request{Host: shopHost, Target: "/rest/v1/todos", APIKey: legacy(t, shop, "anon")}
	_, refusal := gateway.Route(r)
	require.Nil(t, refusal)
	clock = clock.Add(2 * time.Hour)
	_, refusal = gateway.Route(r)
	require.NotNil(t, refusal)
}

func TestAMintedTokenIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	clock := now
	_, table := open(t, newProjects(shopProject()))
	gateway := dataplane.New(table, dataplane.Settings{Domain: "localhost"}, func() time.Time { return clock }, quiet())
	token := func() string {
		upstream, refusal := gateway.Route(dataplane.Request{Host: shopHost, Target: "/rest/v1/todos", APIKey: publishable})
		require.Nil(t, refusal)
		return upstream.Headers["authorization"]
	}
	first := token()
	clock = clock.Add(time.Minute)
	require.Equal(t, first, token(), "it is made once")
	clock = clock.Add(40 * time.Minute)
	require.NotEqual(t, first, token())
}

func TestWhatAKeyStandsForIsTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	s := newProjects(shopProject())
	gateway, table := open(t, s)
	role := func() any {
		return claimsOf(t, shop, sent(t, gateway, dataplane.Request{Target: "/rest/v1/todos", APIKey: workerKey})["authorization"])["role"]
	}
	require.Equal(t, "worker", role())
	changed := shopProject()
	changed.Keys = []store.GatewayKey{keyOf(3, workerKey, map[string]any{"role": "auditor"}), keyOf(1, publishable, nil)}
	s.set(changed)
	require.Eventually(t, func() bool { return role() == "auditor" }, 30*time.Second, time.Millisecond)
	table.Flush(t.Context(), now)
	require.Contains(t, s.used, changed.Keys[0].ID, "and its use is not forgotten")
}

func TestWithoutAKeyOnlyWhatIsOpenIsReached(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for _, path := range []string{
		"/auth/v1/token", "/auth/v1/admin/users", "/auth/v1/verifyx", "/auth/v1/verify%2fx", "/rest/v1/todos", "/graphql/v1",
		"/realtime/v1/websocket", "/realtime/v1/api/broadcast",
	} {
		refusal := refused(t, gateway, dataplane.Request{Target: path, Authorization: "Bearer " + legacy(t, shop, "service_role")})
		require.Equal(t, http.StatusUnauthorized, refusal.Status, path)
		require.Equal(t, "No API key found in request", refusal.Message, path)
	}
	for _, path := range []string{
		"/auth/v1/verify?token=1", "/auth/v1/callback", "/auth/v1/authorize?provider=github", "/auth/v1/sso/saml/acs", "/sso/saml/metadata",
		"/auth/v1/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/storage/v1/object/public/a/b",
		"/storage/v1/object/sign/a/b?token=x", "/functions/v1/hello",
	} {
		require.Empty(t, sent(t, gateway, dataplane.Request{Target: path})["authorization"], path)
	}
}

func TestStoragesOwnCredentialsGoThrough(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for _, authorization := range []string{"AWS4-HMAC-SHA256 Credential=x", "Bearer " + legacy(t, shop, "authenticated"), ""} {
		require.Equal(t, authorization, sent(t, gateway, dataplane.Request{Target: "/storage/v1/s3/bucket", Authorization: authorization})["authorization"])
	}
}

func TestASecretKeyInABrowserIsRefused(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	for _, path := range []string{"/rest/v1/todos", "/storage/v1/bucket", "/functions/v1/hello", "/realtime/v1/websocket"} {
		refusal := refused(t, gateway, dataplane.Request{Target: path, APIKey: secretKey, UserAgent: browser})
		require.Equal(t, http.StatusUnauthorized, refusal.Status)
		require.Equal(t, "Forbidden use of secret API key in browser", refusal.Message)
		sent(t, gateway, dataplane.Request{Target: path, APIKey: publishable, UserAgent: browser})
	}
}

func TestAFunctionsCallerIsLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	headers := sent(t, gateway, dataplane.Request{Target: "/functions/v1/hello", APIKey: publishable, Authorization: "Bearer " + publishable})
	require.NotContains(t, headers, "authorization")
	require.Equal(t, "anon", claimsOf(t, shop, "Bearer "+headers["sb-api-key"])["role"])

	headers = sent(t, gateway, dataplane.Request{Target: "/functions/v1/hello", APIKey: "a webhook's own", Authorization: "Basic x"})
	require.NotContains(t, headers, "authorization")
	value, cleared := headers["sb-api-key"]
	require.True(t, cleared, "nobody else says who has a key")
	require.Empty(t, value)
	require.Equal(t, http.StatusUnauthorized, refused(t, gateway, dataplane.Request{Target: "/functions/v1/hello", APIKey: "sb_secret_revoked"}).Status)
}

func TestRealtimeIsToldItsTenantAndAKeyThatLasts(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	headers := sent(t, gateway, dataplane.Request{Target: "/realtime/v1/websocket?apikey=" + publishable + "&vsn=1.0.0"})
	require.Equal(t, store.RealtimeTenant+".realtime", headers["host"])
	claims := claimsOf(t, shop, "Bearer "+headers["x-api-key"])
	require.Equal(t, "anon", claims["role"])
	require.Greater(t, int64(claims["exp"].(float64)), now.Add(30*24*time.Hour).Unix(), "a page may be open for long")
	key := legacy(t, shop, "anon")
	require.Equal(t, key, sent(t, gateway, dataplane.Request{Target: "/realtime/v1/websocket?apikey=" + key})["x-api-key"])
}

func TestGraphQLIsPostgRESTsFunction(t *testing.T) {
	t.Parallel()
	gateway, _ := open(t, newProjects(shopProject()))
	require.Equal(t, "graphql_public", sent(t, gateway, dataplane.Request{Target: "/graphql/v1", APIKey: publishable})["content-profile"])
}

func TestWithTheLegacyKeysOffTheyOpenNothing(t *testing.T) {
	t.Parallel()
	off := shopProject()
	off.LegacyKeys = false
	gateway, _ := open(t, newProjects(off))
	key := legacy(t, shop, "service_role")
	for name, r := range map[string]dataplane.Request{
		"as a key":                        {Target: "/rest/v1/todos", APIKey: key},
		"behind a publishable key":        {Target: "/rest/v1/todos", APIKey: publishable, Authorization: "Bearer " + key},
		"at storage, which asks for none": {Target: "/storage/v1/bucket", Authorization: "Bearer " + key},
		"at a function":                   {Target: "/functions/v1/hello", Authorization: "Bearer " + key},
	} {
		refusal := refused(t, gateway, r)
		require.Equal(t, "Legacy API keys are disabled", refusal.Message, name)
	}
	temporary := legacy(t, shop, "service_role", jwt.MapClaims{"plurabase": dataplane.KindTemporary})
	require.Equal(t, "Bearer "+temporary, sent(t, gateway, dataplane.Request{Target: "/storage/v1/bucket", APIKey: temporary, UserAgent: browser})["authorization"])
	require.Equal(t, "Bearer "+temporary, sent(t, gateway, dataplane.Request{
		Target: "/storage/v1/bucket", APIKey: dataplane.TemporaryPrefix + temporary, Authorization: "Bearer " + dataplane.TemporaryPrefix + temporary,
	})["authorization"])
	session := "Bearer " + legacy(t, shop, "authenticated")
	require.Equal(t, session, sent(t, gateway, dataplane.Request{Target: "/rest/v1/todos", APIKey: publishable, Authorization: session})["authorization"])
}
