package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// gatewayExamples are of what the gateway goes by: keys, networks and names.
var gatewayExamples = map[string]example{
	"POST /v1/projects/{ref}/api-keys":                                {body: `{"type":"secret","name":"backend"}`},
	"GET /v1/projects/{ref}/api-keys/{id}":                            {prepare: anAPIKey},
	"PATCH /v1/projects/{ref}/api-keys/{id}":                          {body: `{"name":"renamed"}`, prepare: anAPIKey},
	"DELETE /v1/projects/{ref}/api-keys/{id}":                         {prepare: anAPIKey},
	"PUT /v1/projects/{ref}/api-keys/legacy":                          {query: "enabled=false"},
	"POST /platform/projects/{ref}/api-keys/temporary":                {query: "authorization_exp=60&claims=%7B%22role%22%3A%22anon%22%7D"},
	"POST /v1/projects/{ref}/config/auth/signing-keys":                {body: `{"algorithm":"ES256"}`, prepare: noSigningKey},
	"GET /v1/projects/{ref}/config/auth/signing-keys/legacy":          {prepare: aSigningKey},
	"GET /v1/projects/{ref}/config/auth/signing-keys/{id}":            {prepare: aSigningKey},
	"PATCH /v1/projects/{ref}/config/auth/signing-keys/{id}":          {body: `{"status":"in_use"}`, prepare: aSigningKey},
	"DELETE /v1/projects/{ref}/config/auth/signing-keys/{id}":         {prepare: aSigningKey},
	"POST /v1/projects/{ref}/config/auth/third-party-auth":            {body: `{"custom_jwks":` + someJWKS + `}`},
	"GET /v1/projects/{ref}/config/auth/third-party-auth/{tpa_id}":    {prepare: aThirdParty},
	"DELETE /v1/projects/{ref}/config/auth/third-party-auth/{tpa_id}": {prepare: aThirdParty},
	"DELETE /v1/projects/{ref}/network-bans":                          {body: `{"ipv4_addresses":["192.0.2.1"],"requester_ip":false}`},
	"PATCH /v1/projects/{ref}/network-restrictions":                   {body: `{"add":{"dbAllowedCidrs":["192.0.2.0/24"]}}`},
	"PUT /v1/projects/{ref}/ssl-enforcement":                          {body: `{"requestedConfig":{"database":true}}`},
	"POST /v1/projects/{ref}/network-restrictions/apply":              {body: `{"dbAllowedCidrs":["192.0.2.0/24"],"dbAllowedCidrsV6":[]}`},
	"GET /v1/projects/{ref}/custom-hostname":                          {prepare: aHostname},
	"DELETE /v1/projects/{ref}/custom-hostname":                       {prepare: aHostname},
	"POST /v1/projects/{ref}/custom-hostname/initialize":              {body: `{"custom_hostname":"api.example.com"}`},
	"POST /v1/projects/{ref}/custom-hostname/reverify":                {prepare: aHostname},
	"POST /v1/projects/{ref}/custom-hostname/activate":                {prepare: aVerifiedHostname},
	"POST /v1/projects/{ref}/vanity-subdomain/activate":               {body: `{"vanity_subdomain":"my-shop"}`},
	"POST /v1/projects/{ref}/vanity-subdomain/check-availability":     {body: `{"vanity_subdomain":"my-shop"}`},
}

// someJWKS is the public key of RFC 7517, appendix A.1.
const someJWKS = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

// madeID makes something by the API, and returns its id under a name.
func (w *world) madeID(p place, name, path, body string) map[string]string {
	w.t.Helper()
	var made struct{ ID string }
	recorder := w.succeed(w.as(store.RoleOwner), http.MethodPost, "/v1/projects/"+p.ref+path, body)
	require.NoError(w.t, json.Unmarshal(recorder.Body.Bytes(), &made))
	return map[string]string{name: made.ID}
}

func anAPIKey(w *world, p place) map[string]string {
	w.exec(`delete from platform.api_keys where type = 'secret'`)
	return w.madeID(p, "id", "/api-keys", `{"type":"secret","name":"worker"}`)
}

// noSigningKey makes room: only one can be on standby.
func noSigningKey(w *world, _ place) map[string]string {
	w.exec(`delete from platform.signing_keys`)
	return nil
}

func aSigningKey(w *world, p place) map[string]string {
	noSigningKey(w, p)
	return w.madeID(p, "id", "/config/auth/signing-keys", `{"algorithm":"ES256"}`)
}

func aThirdParty(w *world, p place) map[string]string {
	return w.madeID(p, "tpa_id", "/config/auth/third-party-auth", `{"custom_jwks":`+someJWKS+`}`)
}

func aHostname(w *world, p place) map[string]string {
	// Nobody is asked for records in a test.
	w.lookupTXT = func(context.Context, string) ([]string, error) { return nil, nil }
	w.succeed(w.as(store.RoleOwner), http.MethodPost, "/v1/projects/"+p.ref+"/custom-hostname/initialize", `{"custom_hostname":"`+p.ref+`.example.com"}`)
	return nil
}

func aVerifiedHostname(w *world, p place) map[string]string {
	aHostname(w, p)
	w.exec(`update platform.custom_hostnames set verified_at = now()`)
	return nil
}
