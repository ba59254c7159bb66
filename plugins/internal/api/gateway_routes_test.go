package api

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// refusedWith sends a request that has to be refused, and returns the message.
func (w *world) refusedWith(status int, authorization, method, path, body string) string {
	w.t.Helper()
	got, answer := w.send(authorization, method, path, body)
	require.Equal(w.t, status, got, "%v", answer)
	return answer["message"].(string)
}

func TestAnAPIKeyIsMadeShownByRightAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, developer := w.place(), w.as(store.RoleOwner), w.as(store.RoleDeveloper)
	path := "/v1/projects/" + p.ref + "/api-keys"
	made := w.object(owner, http.MethodPost, path+"?reveal=true", `{"type":"secret","name":"backend","description":"ours","secret_jwt_template":{"role":"worker"}}`)
	key := made["api_key"].(string)
	require.True(t, strings.HasPrefix(key, "sb_secret_"))
	one := path + "/" + made["id"].(string)
	require.NotContains(t, w.object(owner, http.MethodGet, one, "")["api_key"], key[len("sb_secret_")+5:], "without reveal it is not shown")
	require.Equal(t, key, w.object(developer, http.MethodGet, one+"?reveal=true", "")["api_key"])

	var listed []map[string]any
	w.list(owner, path+"?reveal=true", &listed)
	require.Len(t, listed, 5)
	require.Equal(t, []any{"anon", "service_role", "default", "default", "backend"},
		[]any{listed[0]["name"], listed[1]["name"], listed[2]["name"], listed[3]["name"], listed[4]["name"]})
	require.NotEmpty(t, listed[1]["api_key"])
	w.list(owner, path, &listed)
	require.NotEmpty(t, listed[0]["api_key"], "anybody may know the anon key")
	require.Nil(t, listed[1]["api_key"])

	changed := w.object(owner, http.MethodPatch, one, `{"name":"renamed","secret_jwt_template":{"role":"service_role"}}`)
	require.Equal(t, "renamed", changed["name"])
	require.Equal(t, "ours", changed["description"])
	require.Equal(t, map[string]any{"role": "service_role"}, changed["secret_jwt_template"])

	require.Nil(t, w.object(owner, http.MethodDelete, one+"?reason=leaked&was_compromised=true", "")["api_key"])
	w.refusedWith(http.StatusNotFound, owner, http.MethodGet, one, "")
}

func TestAnAPIKeyIsNotMadeOfWhatTheGatewayCannotSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/api-keys"
	for body, said := range map[string]string{
		`{"type":"publishable","name":"front","secret_jwt_template":{"role":"anon"}}`:          "A publishable key has the role anon: it cannot have a secret_jwt_template.",
		`{"type":"secret","name":"back","secret_jwt_template":{}}`:                             "secret_jwt_template has to name a role of the database in `role`.",
		`{"type":"secret","name":"back","secret_jwt_template":{"role":1}}`:                     "secret_jwt_template has to name a role of the database in `role`.",
		`{"type":"secret","name":"back","secret_jwt_template":{"role":"x","exp":9999999999}}`:  "secret_jwt_template cannot have the claim exp: the gateway sets it.",
		`{"type":"secret","name":"back","secret_jwt_template":{"role":"x","plurabase":"any"}}`: "secret_jwt_template cannot have the claim plurabase: the gateway sets it.",
	} {
		require.Equal(t, said, w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path, body), body)
	}
	w.object(owner, http.MethodPost, path, `{"type":"secret","name":"twice"}`)
	require.Equal(t, `There is an API key "twice" already.`, w.refusedWith(http.StatusConflict, owner, http.MethodPost, path, `{"type":"secret","name":"twice"}`))
}

func TestLegacyKeysAreSwitched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/api-keys/legacy"
	require.Equal(t, map[string]any{"enabled": true}, w.object(owner, http.MethodGet, path, ""))
	w.object(owner, http.MethodPut, path+"?enabled=false", "")
	require.Equal(t, map[string]any{"enabled": false}, w.object(owner, http.MethodGet, path, ""))
}

func TestATemporaryKeyIsTheProjectsOwnAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/api-keys/temporary?authorization_exp=60&claims="
	key := w.object(owner, http.MethodPost, path+"%7B%22role%22:%22service_role%22%7D", "")["api_key"].(string)
	token, ok := strings.CutPrefix(key, dataplane.TemporaryPrefix)
	require.True(t, ok)
	settings := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/settings", "")
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(settings["jwt_secret"].(string)), nil }, jwt.WithTimeFunc(storetest.Clock))
	require.NoError(t, err)
	require.Equal(t, "service_role", claims["role"])
	require.InDelta(t, storetest.Now.Unix()+60, claims["exp"], 0)
	for _, claims := range []string{"x", "%7B%7D", "%7B%22role%22:%22postgres%22%7D", "%7B%22role%22:%22anon%22,%22exp%22:1%7D"} {
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path+claims, "")
	}
}

func TestASigningKeyIsPutInUseAndTheOldOneRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/config/auth/signing-keys"
	w.refusedWith(http.StatusNotFound, owner, http.MethodGet, path+"/legacy", "")
	imported := w.object(owner, http.MethodPost, path+"/legacy", "")
	require.Equal(t, "HS256", imported["algorithm"])
	made := w.object(owner, http.MethodPost, path, `{"algorithm":"ES256"}`)
	require.Equal(t, "standby", made["status"])
	require.NotContains(t, made["public_jwk"], "d", "nothing private is shown")
	w.object(owner, http.MethodPatch, path+"/"+made["id"].(string), `{"status":"in_use"}`)
	keys := w.object(owner, http.MethodGet, path, "")["keys"].([]any)
	require.Len(t, keys, 2)
	require.Equal(t, "previously_used", w.object(owner, http.MethodGet, path+"/legacy", "")["status"])
	require.Equal(t, "in_use", w.object(owner, http.MethodGet, path+"/"+made["id"].(string), "")["status"])
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodDelete, path+"/"+made["id"].(string), ""), "can be deleted")
	require.Equal(t, "The private_jwk is not a JSON Web Key.",
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path, `{"algorithm":"ES256","private_jwk":{"kty":"EC"}}`))
}

func TestThirdPartyKeysArePublicAndOfOneSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/config/auth/third-party-auth"
	made := w.object(owner, http.MethodPost, path, `{"custom_jwks":`+someJWKS+`}`)
	require.Contains(t, made["resolved_jwks"], "keys")
	var listed []map[string]any
	w.list(owner, path, &listed)
	require.Len(t, listed, 1)
	w.object(owner, http.MethodDelete, path+"/"+made["id"].(string), "")
	w.list(owner, path, &listed)
	require.Empty(t, listed)
	for _, body := range []string{
		`{}`, `{"jwks_url":"https://a.example.com","oidc_issuer_url":"https://a.example.com"}`, `{"jwks_url":"http://a.example.com"}`,
		`{"jwks_url":"https://127.0.0.1/keys"}`, `{"jwks_url":"https://169.254.169.254/latest"}`, `{"oidc_issuer_url":"https://localhost"}`,
		`{"jwks_url":"https://user:password@a.example.com"}`, `{"jwks_url":"file:///etc/passwd"}`, `{"custom_jwks":{}}`, `{"custom_jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}`,
	} {
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path, body)
	}
}

func TestNetworkRestrictionsAreSetAndChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/network-restrictions"
	require.Equal(t, map[string]any{"dbAllowedCidrs": []any{"0.0.0.0/0"}, "dbAllowedCidrsV6": []any{"::/0"}}, w.object(owner, http.MethodGet, path, "")["config"])
	w.object(owner, http.MethodPost, path+"/apply", `{"dbAllowedCidrs":["192.0.2.7/24","192.0.2.0/24"],"dbAllowedCidrsV6":["2001:db8::/32"]}`)
	require.Equal(t, map[string]any{"dbAllowedCidrs": []any{"192.0.2.0/24"}, "dbAllowedCidrsV6": []any{"2001:db8::/32"}}, w.object(owner, http.MethodGet, path, "")["config"])
	patched := w.object(owner, http.MethodPatch, path, `{"add":{"dbAllowedCidrs":["198.51.100.0/24"]},"remove":{"dbAllowedCidrsV6":["2001:db8::/32"]}}`)
	require.Equal(t, []any{map[string]any{"address": "192.0.2.0/24", "type": "v4"}, map[string]any{"address": "198.51.100.0/24", "type": "v4"}},
		patched["config"].(map[string]any)["dbAllowedCidrs"])
	for _, one := range []string{"192.0.2.1", "x", "192.0.2.0/33", "::ffff:192.0.2.0/120"} {
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path+"/apply", `{"dbAllowedCidrs":["`+one+`"]}`)
	}
}

func TestBansAreListedAndLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/network-bans"
	w.exec(`insert into platform.network_bans (project_id, address, banned_at) select id, '192.0.2.1', now() from platform.projects where ref = $1`, p.ref)
	require.Equal(t, []any{"192.0.2.1"}, w.object(owner, http.MethodPost, path+"/retrieve", "")["banned_ipv4_addresses"])
	w.succeed(owner, http.MethodDelete, path, `{"ipv4_addresses":["192.0.2.1"]}`)
	require.Empty(t, w.object(owner, http.MethodPost, path+"/retrieve/enriched", "")["banned_ipv4_addresses"])
	w.refusedWith(http.StatusBadRequest, owner, http.MethodDelete, path, `{"ipv4_addresses":["x"]}`)
}

func TestAHostnameIsServedOnceItsRecordShowsWhoseItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/custom-hostname"
	records := map[string][]string{}
	w.lookupTXT = func(_ context.Context, name string) ([]string, error) {
		if found := records[name]; found != nil {
			return found, nil
		}
		return nil, &net.DNSError{IsNotFound: true}
	}
	require.Contains(t, w.refusedWith(http.StatusNotFound, owner, http.MethodGet, path, ""), "custom hostname configuration")
	for _, name := range []string{"localhost", "x.localhost", "192.0.2.1", "no_name.example.com", "example", "-a.example.com", "a..example.com"} {
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path+"/initialize", `{"custom_hostname":"`+name+`"}`)
	}
	begun := w.object(owner, http.MethodPost, path+"/initialize", `{"custom_hostname":"API.example.com."}`)
	require.Equal(t, "2_initiated", begun["status"])
	result := begun["data"].(map[string]any)["result"].(map[string]any)
	record := result["ownership_verification"].(map[string]any)
	require.Equal(t, "_plurabase-challenge.api.example.com", record["name"])
	require.Equal(t, p.ref+".localhost", result["custom_origin_server"])

	require.Equal(t, "2_initiated", w.object(owner, http.MethodPost, path+"/reverify", "")["status"], "there is no record")
	records[record["name"].(string)] = []string{"something else"}
	require.Equal(t, "2_initiated", w.object(owner, http.MethodPost, path+"/reverify", "")["status"])
	w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path+"/activate", "")
	records[record["name"].(string)] = []string{"something else", record["value"].(string)}
	require.Equal(t, "4_origin_setup_completed", w.object(owner, http.MethodPost, path+"/reverify", "")["status"])
	require.Equal(t, "5_services_reconfigured", w.object(owner, http.MethodPost, path+"/activate", "")["status"])
	w.succeed(owner, http.MethodDelete, path, "")
	w.refusedWith(http.StatusNotFound, owner, http.MethodGet, path, "")
}

func TestASubdomainIsOneProjectsAndLikeNoRef(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other, owner := w.place(), w.place(), w.as(store.RoleOwner)
	path, others := "/v1/projects/"+p.ref+"/vanity-subdomain", "/v1/projects/"+other.ref+"/vanity-subdomain"
	available := func(name string) bool {
		return w.object(owner, http.MethodPost, others+"/check-availability", `{"vanity_subdomain":"`+name+`"}`)["available"].(bool)
	}
	require.Equal(t, map[string]any{"status": "not-used"}, w.object(owner, http.MethodGet, path, ""))
	require.True(t, available("my-shop"))
	w.object(owner, http.MethodPost, path+"/activate", `{"vanity_subdomain":"my-shop"}`)
	require.Equal(t, map[string]any{"status": "active", "custom_domain": "my-shop.localhost"}, w.object(owner, http.MethodGet, path, ""))
	require.False(t, available("my-shop"))
	w.refusedWith(http.StatusConflict, owner, http.MethodPost, others+"/activate", `{"vanity_subdomain":"my-shop"}`)
	for _, name := range []string{"api", strings.Repeat("a", 20), p.ref, "My-Shop", "-x", "a.b"} {
		require.False(t, available(name), name)
		w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path+"/activate", `{"vanity_subdomain":"`+name+`"}`)
	}
	w.succeed(owner, http.MethodDelete, path, "")
	require.True(t, available("my-shop"))
}
