package api

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

// What the examples' application is known by.
const (
	exampleClient = "c11e0000-0000-4000-8000-000000000001"
	exampleSecret = "an example's secret"
	exampleCode   = "an-examples-code"
)

const anOAuthAppBody = `{"name":"Robot","website":"https://robot.example.com","redirect_uris":["https://robot.example.com/callback"],
	"scopes":["projects:read","organizations:read"]}`

// aCLILink is what Studio sends of the address that a CLI opened; the key is the curve's own generator.
const aCLILink = `{"session_id":"0b5e0000-0000-4000-8000-000000000001","token_name":"cli_ada@laptop_1",
	"public_key":"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"}`

var oauthExamples = map[string]example{
	"POST /platform/cli/login":                                                             {body: aCLILink},
	"GET /platform/cli/login/{session_id}":                                                 {prepare: aCLILogin},
	"GET /platform/organizations/{slug}/oauth/apps":                                        {query: "type=published", prepare: anOAuthApp},
	"POST /platform/organizations/{slug}/oauth/apps":                                       {body: anOAuthAppBody},
	"PUT /platform/organizations/{slug}/oauth/apps/{id}":                                   {prepare: anOAuthApp, body: anOAuthAppBody},
	"DELETE /platform/organizations/{slug}/oauth/apps/{id}":                                {prepare: anOAuthApp},
	"POST /platform/organizations/{slug}/oauth/apps/{id}/revoke":                           {prepare: anAuthorizedApp},
	"GET /platform/organizations/{slug}/oauth/apps/{app_id}/client-secrets":                {prepare: anOAuthApp},
	"POST /platform/organizations/{slug}/oauth/apps/{app_id}/client-secrets":               {prepare: anOAuthApp},
	"DELETE /platform/organizations/{slug}/oauth/apps/{app_id}/client-secrets/{secret_id}": {prepare: aSecondSecret},
	"GET /platform/oauth/authorizations/{id}":                                              {prepare: anOAuthRequest},
	"POST /platform/organizations/{slug}/oauth/authorizations/{id}":                        {prepare: anOAuthRequest},
	"DELETE /platform/organizations/{slug}/oauth/authorizations/{id}":                      {prepare: anOAuthRequest},
	"POST /platform/oauth/apps/register":                                                   {body: `{"client_name":"Robot","redirect_uris":["http://localhost:1/callback"]}`},
	"GET /v1/oauth/authorize": {
		query:   "response_type=code&client_id=" + exampleClient + "&redirect_uri=https%3A%2F%2Frobot.example.com%2Fcallback",
		prepare: anOAuthApp, status: http.StatusFound, // the contract has the 204 of an endpoint that says nothing of its answer
	},
	"POST /v1/oauth/token": {
		prepare: anAuthorizedApp, contentType: "application/x-www-form-urlencoded",
		body: "grant_type=authorization_code&code=" + exampleCode + "&client_id=" + exampleClient + "&client_secret=" +
			strings.ReplaceAll(exampleSecret, " ", "+") + "&redirect_uri=https%3A%2F%2Frobot.example.com%2Fcallback",
	},
	"POST /v1/oauth/revoke": {prepare: anOAuthApp, body: `{"client_id":"` + exampleClient + `","client_secret":"` + exampleSecret + `","refresh_token":"x"}`},
}

func aCLILogin(w *world, _ place) map[string]string {
	w.exec(`delete from platform.cli_logins`) // the other example's
	w.succeed(w.as(store.RoleOwner), http.MethodPost, "/platform/cli/login", aCLILink)
	w.exec(`update platform.cli_logins set nonce = '0123456789ab'`)
	return map[string]string{"session_id": "0b5e0000-0000-4000-8000-000000000001?device_code=01234567"}
}

// anOAuthApp makes the examples' application, in the place of an earlier example's.
func anOAuthApp(w *world, p place) map[string]string {
	w.t.Helper()
	w.exec(`delete from platform.oauth_apps where client_id = $1`, exampleClient)
	_, made := w.send(w.as(store.RoleOwner), http.MethodPost, "/platform/organizations/"+p.slug+"/oauth/apps", anOAuthAppBody)
	id := made["id"].(string)
	w.exec(`update platform.oauth_apps set client_id = $2 where id = $1`, id, exampleClient)
	w.exec(`update platform.oauth_client_secrets set digest = sha256($2::bytea) where app_id = $1`, id, []byte(exampleSecret))
	return map[string]string{"id": id, "app_id": id}
}

func aSecondSecret(w *world, p place) map[string]string {
	app := anOAuthApp(w, p)
	_, made := w.send(w.as(store.RoleOwner), http.MethodPost, "/platform/organizations/"+p.slug+"/oauth/apps/"+app["id"]+"/client-secrets", "")
	app["secret_id"] = made["id"].(string)
	return app
}

func anOAuthRequest(w *world, p place) map[string]string {
	w.t.Helper()
	id, err := w.store.SealOAuthRequest(store.OAuthRequest{
		AppID: uuid.MustParse(anOAuthApp(w, p)["id"]), RedirectURI: "https://robot.example.com/callback", Scopes: []string{"projects:read"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return map[string]string{"id": id}
}

func anAuthorizedApp(w *world, p place) map[string]string {
	request := anOAuthRequest(w, p)["id"]
	w.succeed(w.as(store.RoleOwner), http.MethodPost, "/platform/organizations/"+p.slug+"/oauth/authorizations/"+request, "")
	w.exec(`update platform.oauth_grants set code_digest = sha256($1::bytea)
		where app_id = (select id from platform.oauth_apps where client_id = $2)`, []byte(exampleCode), exampleClient)
	var id string
	if err := w.connection.QueryRow(w.t.Context(), `select id::text from platform.oauth_apps where client_id = $1`, exampleClient).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return map[string]string{"id": id}
}
