package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const (
	callback = "https://robot.example.com/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B, as is the challenge
	s256     = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// robot is an OAuth app with what it knows of itself.
type robot struct {
	*world
	id, clientID, secret string
	redirectURI          string
}

func (w *world) robot(p place, scopes ...string) *robot {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{
		"name": "Robot", "website": "https://robot.example.com", "redirect_uris": []string{callback, "http://localhost:1/callback"}, "scopes": scopes,
	})
	require.NoError(w.t, err)
	made := w.object(w.as(store.RoleOwner), http.MethodPost, p.oauth("apps"), string(body))
	return &robot{w, made["id"].(string), made["client_id"].(string), made["client_secret"].(string), callback}
}

func (p place) oauth(path string) string {
	return "/platform/organizations/" + p.slug + "/oauth/" + path
}

// ask leads a browser to the platform, and returns where it ends.
func (r *robot) ask(changes url.Values) *url.URL {
	r.t.Helper()
	query := url.Values{
		"client_id": {r.clientID}, "redirect_uri": {r.redirectURI}, "response_type": {"code"}, "state": {"a state & more"},
		"code_challenge": {s256}, "code_challenge_method": {"S256"},
	}
	for name, values := range changes {
		if query[name] = values; values == nil {
			query.Del(name)
		}
	}
	answer := r.raw("", http.MethodGet, "/v1/oauth/authorize?"+query.Encode(), "")
	require.Equal(r.t, http.StatusFound, answer.Code, answer.Body)
	location, err := url.Parse(answer.Header().Get("Location"))
	require.NoError(r.t, err)
	return location
}

// request is the id by which Studio knows what the robot asks for.
func (r *robot) request(changes url.Values) string {
	r.t.Helper()
	location := r.ask(changes)
	require.Equal(r.t, r.settings.PublicURL+"/authorize", location.Scheme+"://"+location.Host+location.Path)
	return location.Query().Get("auth_id")
}

// approve lets the robot act for the caller, and returns its code.
func (r *robot) approve(p place, role store.Role, changes url.Values) string {
	r.t.Helper()
	answer := r.object(r.as(role), http.MethodPost, p.oauth("authorizations/"+r.request(changes)), "")
	back, err := url.Parse(answer["url"].(string))
	require.NoError(r.t, err)
	require.Equal(r.t, "a state & more", back.Query().Get("state"))
	require.True(r.t, strings.HasPrefix(back.String(), r.redirectURI+"?"), back)
	return back.Query().Get("code")
}

func (r *robot) tokens(form url.Values) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.rawAs("application/x-www-form-urlencoded", "", http.MethodPost, "/v1/oauth/token", form.Encode())
}

func (r *robot) exchange(code string, changes url.Values) *httptest.ResponseRecorder {
	r.t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {r.redirectURI}, "code_verifier": {verifier},
		"client_id": {r.clientID}, "client_secret": {r.secret},
	}
	for name, values := range changes {
		if form[name] = values; values == nil {
			form.Del(name)
		}
	}
	return r.tokens(form)
}

func (r *robot) refresh(token string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.tokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {r.clientID}, "client_secret": {r.secret}})
}

// issued reads tokens out of an answer that has to have some.
func (r *robot) issued(answer *httptest.ResponseRecorder) OAuthTokenResponse {
	r.t.Helper()
	require.Equal(r.t, http.StatusCreated, answer.Code, answer.Body)
	require.Equal(r.t, "no-store", answer.Header().Get("Cache-Control"))
	var tokens OAuthTokenResponse
	require.NoError(r.t, json.Unmarshal(answer.Body.Bytes(), &tokens))
	return tokens
}

// refused reads the error out of an answer that has to have one.
func (r *robot) refused(answer *httptest.ResponseRecorder, status int) string {
	r.t.Helper()
	require.Equal(r.t, status, answer.Code, answer.Body)
	var told map[string]string
	require.NoError(r.t, json.Unmarshal(answer.Body.Bytes(), &told))
	require.Equal(r.t, told["message"], told["error_description"])
	require.Equal(r.t, told["code"], told["error"])
	return told["error"]
}

func TestAnOAuthAppActsForWhoeverApprovedItWithinItsScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.place(), w.place()
	r := w.robot(p, "projects:read", "organizations:read", "database:write")

	request := r.request(url.Values{"scope": {"projects:read"}})
	shown := w.object(w.as(store.RoleAdministrator), http.MethodGet, "/platform/oauth/authorizations/"+request, "")
	require.Equal(t, "Robot", shown["name"])
	require.Equal(t, "robot.example.com", shown["domain"])
	require.Equal(t, []any{"projects:read"}, shown["scopes"])
	require.Equal(t, "manual", shown["registration_type"])
	require.NotContains(t, shown, "approved_at")

	tokens := r.issued(r.exchange(r.approve(p, store.RoleAdministrator, url.Values{"scope": {"projects:read"}}), nil))
	require.Regexp(t, `^sbp_oauth_[0-9a-f]{40}$`, tokens.AccessToken)
	require.Equal(t, 3600, tokens.ExpiresIn)
	require.Equal(t, "projects:read", tokens.Scope)
	byRobot := "Bearer " + tokens.AccessToken
	require.Equal(t, p.ref, w.object(byRobot, http.MethodGet, "/v1/projects/"+p.ref, "")["ref"])
	require.Contains(t, w.succeed(byRobot, http.MethodGet, "/v1/projects", "").Body.String(), p.ref)
	require.NotContains(t, w.succeed(byRobot, http.MethodGet, "/v1/projects", "").Body.String(), other.ref, "the organization that was chosen alone")
	for path, want := range map[string]int{
		"/v1/projects/" + other.ref:              http.StatusNotFound,
		"/platform/organizations/" + p.slug:      http.StatusForbidden, // another scope
		"/platform/profile/access-tokens":        http.StatusForbidden,
		"/platform/profile/scoped-access-tokens": http.StatusForbidden,
	} {
		require.Equal(t, want, w.raw(byRobot, http.MethodGet, path, "").Code, path)
	}
	require.Equal(t, http.StatusForbidden, w.raw(byRobot, http.MethodDelete, "/v1/projects/"+p.ref, "").Code)
	require.NotContains(t, w.succeed(w.as(store.RoleAdministrator), http.MethodGet, scopedTokens, "").Body.String(), "Robot", "it is no token of the person's")

	var authorized []map[string]any
	w.list(w.as(store.RoleReadOnly), p.oauth("apps?type=authorized"), &authorized)
	require.Len(t, authorized, 1)
	require.Equal(t, r.id, authorized[0]["app_id"])
	require.Equal(t, email(callers[3].id), authorized[0]["created_by"])
	require.Contains(t, w.succeed(w.as(store.RoleOwner), http.MethodGet, "/platform/organizations/"+p.slug+"/audit"+today, "").Body.String(), "oauth_apps.authorize")
	w.exec(`update platform.members set role = 4 where organization_id = $1 and profile_id = (select id from platform.profiles where gotrue_id = $2)`, w.organizationID(p), callers[3].id)
	require.Equal(t, http.StatusOK, w.raw(byRobot, http.MethodGet, "/v1/projects/"+p.ref, "").Code)
	w.abandon(p)
	require.Equal(t, http.StatusNotFound, w.raw(byRobot, http.MethodGet, "/v1/projects/"+p.ref, "").Code, "it can do no more than the person")
}

func TestNothingOfAnOAuthAppsSecretsIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	r := w.robot(p, "projects:read")
	code := r.approve(p, store.RoleOwner, nil)
	tokens := r.issued(r.exchange(code, nil))
	for _, secret := range []string{r.secret, code, tokens.AccessToken, tokens.RefreshToken} {
		for _, table := range []string{"oauth_apps", "oauth_client_secrets", "oauth_grants", "oauth_refresh_tokens", "access_tokens", "requests", "audit_log"} {
			var kept int
			require.NoError(t, w.connection.QueryRow(t.Context(), `select count(*) from platform.`+table+` t where t::text like '%' || $1 || '%'`, secret).Scan(&kept))
			require.Zero(t, kept, table)
		}
		require.NotContains(t, w.logged.String(), secret)
	}
}

func TestARefreshTokenIsGoodOnceAndAStolenOneEndsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	r := w.robot(p, "projects:read")
	works := func(tokens OAuthTokenResponse) int {
		return w.raw("Bearer "+tokens.AccessToken, http.MethodGet, "/v1/projects", "").Code
	}
	first := r.issued(r.exchange(r.approve(p, store.RoleOwner, nil), nil))
	second := r.issued(r.refresh(first.RefreshToken))
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.Equal(t, http.StatusOK, works(second))
	again := r.issued(r.refresh(first.RefreshToken)) // an answer that was lost on its way
	require.Equal(t, http.StatusOK, works(again))

	bystander := r.issued(r.exchange(r.approve(p, store.RoleOwner, nil), nil))
	w.exec(`update platform.oauth_refresh_tokens set used_at = used_at - interval '11 seconds' where used_at is not null`)
	require.Equal(t, "invalid_grant", r.refused(r.refresh(first.RefreshToken), http.StatusBadRequest))
	for _, tokens := range []OAuthTokenResponse{first, second, again} {
		require.Equal(t, http.StatusUnauthorized, works(tokens))
		require.Equal(t, "invalid_grant", r.refused(r.refresh(tokens.RefreshToken), http.StatusBadRequest))
	}
	require.Equal(t, http.StatusOK, works(bystander), "what was approved another time goes on")
	require.Contains(t, w.succeed(w.as(store.RoleOwner), http.MethodGet, "/platform/organizations/"+p.slug+"/audit"+today, "").Body.String(), "oauth_apps.tokens.reused")

	w.exec(`update platform.oauth_refresh_tokens set expires_at = $1`, storetest.Now)
	require.Equal(t, "invalid_grant", r.refused(r.refresh(bystander.RefreshToken), http.StatusBadRequest))
	w.exec(`update platform.access_tokens set expires_at = $1`, storetest.Now)
	require.Equal(t, http.StatusUnauthorized, works(bystander))
}

func TestACodeIsGoodOnceForItsOwnAppAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	r, stranger := w.robot(p, "projects:read"), w.robot(p, "projects:read")
	code := r.approve(p, store.RoleOwner, nil)
	digest := sha256.Sum256([]byte(strings.Repeat("x", 43)))
	require.NotEqual(t, s256, base64.RawURLEncoding.EncodeToString(digest[:]))
	for name, test := range map[string]struct {
		answer *httptest.ResponseRecorder
		status int
		want   string
	}{
		"another app":             {stranger.exchange(code, nil), 400, "invalid_grant"},
		"another verifier":        {r.exchange(code, url.Values{"code_verifier": {strings.Repeat("x", 43)}}), 400, "invalid_grant"},
		"no verifier":             {r.exchange(code, url.Values{"code_verifier": nil}), 400, "invalid_grant"},
		"the challenge":           {r.exchange(code, url.Values{"code_verifier": {s256}}), 400, "invalid_grant"},
		"another address":         {r.exchange(code, url.Values{"redirect_uri": {"http://localhost:1/callback"}}), 400, "invalid_grant"},
		"another code":            {r.exchange(code+"0", nil), 400, "invalid_grant"},
		"another secret":          {r.exchange(code, url.Values{"client_secret": {stranger.secret}}), 401, "invalid_client"},
		"no secret":               {r.exchange(code, url.Values{"client_secret": nil}), 401, "invalid_client"},
		"no client":               {r.exchange(code, url.Values{"client_id": nil}), 400, "invalid_request"},
		"a client that is no id":  {r.exchange(code, url.Values{"client_id": {"'; drop"}}), 401, "invalid_client"},
		"another kind of grant":   {r.exchange(code, url.Values{"grant_type": {"password"}}), 400, "unsupported_grant_type"},
		"a code for a refreshing": {r.refresh(code), 400, "invalid_grant"},
	} {
		require.Equal(t, test.want, r.refused(test.answer, test.status), name)
	}
	require.Equal(t, http.StatusBadRequest, r.rawAs("application/x-www-form-urlencoded", "", http.MethodPost, "/v1/oauth/token", "code=a&code=b").Code)

	header := http.Header{}
	basic := httptest.NewRequest(http.MethodPost, "/", nil)
	basic.SetBasicAuth(r.clientID, r.secret)
	header.Set("Authorization", basic.Header.Get("Authorization"))
	tokens := r.issued(r.rawAs("application/x-www-form-urlencoded", header.Get("Authorization"), http.MethodPost, "/v1/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}.Encode()))
	require.Equal(t, "invalid_grant", r.refused(r.exchange(code, nil), http.StatusBadRequest), "it is good once")
	require.Equal(t, http.StatusUnauthorized, w.raw("Bearer "+tokens.AccessToken, http.MethodGet, "/v1/projects", "").Code, "and the second time, somebody else may have it")

	late := r.approve(p, store.RoleOwner, nil)
	w.exec(`update platform.oauth_grants set code_expires_at = $1`, storetest.Now)
	require.Equal(t, "invalid_grant", r.refused(r.exchange(late, nil), http.StatusBadRequest))
}

func TestARequestThatTheGatewayRunsAgainIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	r := w.robot(p, "projects:read")
	code := r.approve(p, store.RoleOwner, nil)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
		"client_id": {r.clientID}, "client_secret": {r.secret},
	}.Encode()
	var answers []OAuthTokenResponse
	for range 2 {
		request := httptest.NewRequest(http.MethodPost, "/v1/oauth/token", strings.NewReader(form))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("X-Request-Id", "the gateway's own")
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, request)
		answers = append(answers, r.issued(recorder))
	}
	require.Equal(t, answers[0], answers[1])
}

func TestWhereNobodyMayBeSentNobodyIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.robot(w.place(), "projects:read")
	for redirectURI, allowed := range map[string]bool{
		callback:                                  true,
		"http://localhost:54321/callback":         true,
		"http://localhost/callback":               true,
		"http://127.0.0.1:1/callback":             false,
		"http://localhost:1/other":                false,
		callback + "/more":                        false,
		callback + "?a=b":                         false,
		"https://robot.example.com:8443/callback": false,
		"https://evil.example.com/callback":       false,
		"http://localhost:1@evil.com/callback":    false,
		"javascript:alert(1)":                     false,
	} {
		query := url.Values{"client_id": {r.clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"}}
		answer := w.raw("", http.MethodGet, "/v1/oauth/authorize?"+query.Encode(), "")
		require.Equal(t, allowed, answer.Code == http.StatusFound, "%s: %s", redirectURI, answer.Body)
		require.Equal(t, allowed, answer.Header().Get("Location") != "", redirectURI)
	}
	for want, changes := range map[string]url.Values{
		"unsupported_response_type": {"response_type": {"token"}},
		"invalid_scope":             {"scope": {"projects:read projects:write"}},
		"invalid_request":           {"code_challenge_method": {"plain"}},
	} {
		back := r.ask(changes)
		require.Equal(t, "robot.example.com", back.Host)
		require.Equal(t, want, back.Query().Get("error"))
		require.Equal(t, "a state & more", back.Query().Get("state"))
	}
	require.Equal(t, http.StatusNotFound, w.raw("", http.MethodGet, "/v1/oauth/authorize?response_type=code&client_id=x&redirect_uri=https://a.example", "").Code)
}

func TestARequestIsDecidedOnceByThoseWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	r := w.robot(p, "projects:read")
	request := r.request(nil)
	path := p.oauth("authorizations/" + request)
	require.Equal(t, http.StatusForbidden, w.raw(w.as(store.RoleDeveloper), http.MethodPost, path, "").Code)
	require.Equal(t, http.StatusNotFound, w.raw(w.outsider(), http.MethodPost, path, "").Code)
	require.Equal(t, http.StatusUnauthorized, w.raw("", http.MethodGet, "/platform/oauth/authorizations/"+request, "").Code)
	everything := w.tokenWith(access.ScopeNames...)
	require.Equal(t, http.StatusForbidden, w.raw(everything, http.MethodPost, path, "").Code, "a token with scopes hands out no rights")
	w.succeed(w.as(store.RoleOwner), http.MethodPost, path, "")
	require.Equal(t, http.StatusConflict, w.raw(w.as(store.RoleOwner), http.MethodPost, path, "").Code)
	require.Equal(t, http.StatusConflict, w.raw(w.as(store.RoleAdministrator), http.MethodDelete, path, "").Code)
	shown := w.object(w.as(store.RoleOwner), http.MethodGet, "/platform/oauth/authorizations/"+request, "")
	require.Equal(t, p.slug, shown["approved_organization_slug"])

	declined := r.request(nil)
	require.NotEmpty(t, w.object(w.as(store.RoleOwner), http.MethodDelete, p.oauth("authorizations/"+declined), "")["id"])
	require.Equal(t, http.StatusNotFound, w.raw(w.as(store.RoleOwner), http.MethodGet, "/platform/oauth/authorizations/"+declined, "").Code)
	require.Equal(t, http.StatusConflict, w.raw(w.as(store.RoleOwner), http.MethodPost, p.oauth("authorizations/"+declined), "").Code)

	forged := []byte(r.request(nil))
	forged[len(forged)/2] ^= 1
	for _, id := range []string{string(forged), "abc", "%20", strings.Repeat("A", 8000)} {
		require.Equal(t, http.StatusNotFound, w.raw(w.as(store.RoleOwner), http.MethodGet, "/platform/oauth/authorizations/"+id, "").Code, id)
	}
}

func TestAnOAuthAppIsRevokedByTheOrganizationAndByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.place(), w.place()
	r := w.robot(p, "projects:read")
	here := r.issued(r.exchange(r.approve(p, store.RoleOwner, nil), nil))
	there := r.issued(r.exchange(r.approve(other, store.RoleOwner, nil), nil))
	works := func(tokens OAuthTokenResponse) bool {
		return w.raw("Bearer "+tokens.AccessToken, http.MethodGet, "/v1/projects", "").Code == http.StatusOK
	}
	require.Equal(t, http.StatusForbidden, w.raw(w.as(store.RoleDeveloper), http.MethodPost, p.oauth("apps/"+r.id+"/revoke"), "").Code)
	require.Equal(t, r.id, w.object(w.as(store.RoleOwner), http.MethodPost, p.oauth("apps/"+r.id+"/revoke"), "")["id"])
	require.False(t, works(here))
	require.True(t, works(there), "another organization's is its own")
	require.Equal(t, http.StatusNotFound, w.raw(w.as(store.RoleOwner), http.MethodPost, p.oauth("apps/"+r.id+"/revoke"), "").Code)

	revoke := func(secret, token string) int {
		return w.raw("", http.MethodPost, "/v1/oauth/revoke", `{"client_id":"`+r.clientID+`","client_secret":"`+secret+`","refresh_token":"`+token+`"}`).Code
	}
	require.Equal(t, http.StatusUnauthorized, revoke("wrong", there.RefreshToken))
	require.Equal(t, http.StatusNoContent, revoke(r.secret, "unknown"))
	require.True(t, works(there))
	require.Equal(t, http.StatusNoContent, revoke(r.secret, there.RefreshToken))
	require.False(t, works(there))

	last := r.issued(r.exchange(r.approve(other, store.RoleOwner, nil), nil))
	require.Equal(t, http.StatusNotFound, w.raw(w.as(store.RoleOwner), http.MethodDelete, other.oauth("apps/"+r.id), "").Code, "another organization's app")
	w.succeed(w.as(store.RoleOwner), http.MethodDelete, p.oauth("apps/"+r.id), "")
	require.False(t, works(last))
	require.Equal(t, "invalid_client", r.refused(r.refresh(last.RefreshToken), http.StatusUnauthorized))
}

func TestClientSecretsAreAFewAndNeverNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	r := w.robot(p, "projects:read")
	secrets := p.oauth("apps/" + r.id + "/client-secrets")
	listed := func() []any { return w.object(owner, http.MethodGet, secrets, "")["client_secrets"].([]any) }
	first := listed()[0].(map[string]any)
	require.Equal(t, r.secret[:8], first["client_secret_alias"])
	require.Nil(t, first["last_used_at"])
	require.NotContains(t, w.succeed(owner, http.MethodGet, secrets, "").Body.String(), r.secret)
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodDelete, secrets+"/"+first["id"].(string), "").Code)
	for range 4 {
		require.Regexp(t, `^sba_[0-9a-f]{40}$`, w.object(owner, http.MethodPost, secrets, "")["client_secret"])
	}
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodPost, secrets, "").Code)
	r.refresh("unknown")
	require.NotNil(t, listed()[0].(map[string]any)["last_used_at"])
	w.succeed(owner, http.MethodDelete, secrets+"/"+first["id"].(string), "")
	require.Len(t, listed(), 4)
	require.Equal(t, "invalid_client", r.refused(r.refresh("unknown"), http.StatusUnauthorized))
}

func TestAnOAuthAppIsChangedAndBadOnesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	r := w.robot(p, "projects:read")
	w.succeed(owner, http.MethodPut, p.oauth("apps/"+r.id), `{"name":"Droid","website":"https://droid.example.com","redirect_uris":["cursor://anysphere/oauth"],"scopes":["database:read"]}`)
	var apps []map[string]any
	w.list(owner, p.oauth("apps?type=published"), &apps)
	require.Equal(t, "Droid", apps[0]["name"])
	require.Equal(t, []any{"cursor://anysphere/oauth"}, apps[0]["redirect_uris"])
	require.Equal(t, callers[2].id, apps[0]["created_by"])
	for _, body := range []string{
		`{"name":"a","website":"https://a.example","redirect_uris":[]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["http://a.example/callback"]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["https://a.example/callback#x"]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["javascript:alert(1)"]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["data:text/html,x"]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["/callback"]}`,
		`{"name":"a","website":"javascript:alert(1)","redirect_uris":["https://a.example/callback"]}`,
		`{"name":"a","website":"https://a.example","icon":"https://a.example/')","redirect_uris":["https://a.example/callback"]}`,
		`{"name":"a","website":"https://a.example","redirect_uris":["https://a.example/callback"],"scopes":["everything"]}`,
		`{"name":"","website":"https://a.example","redirect_uris":["https://a.example/callback"]}`,
	} {
		status, refusal := w.send(owner, http.MethodPost, p.oauth("apps"), body)
		require.Equal(t, http.StatusBadRequest, status, "%s: %v", body, refusal)
	}
	w.list(owner, p.oauth("apps?type=published"), &apps)
	require.Len(t, apps, 1)
}

func TestAnOAuthAppRegistersItselfAndProvesItselfByPKCE(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	made := w.object("", http.MethodPost, "/platform/oauth/apps/register",
		`{"client_name":"Editor","redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none","scope":"projects:read openid"}`)
	require.Empty(t, made["client_secret"])
	require.Equal(t, "none", made["token_endpoint_auth_method"])
	require.Equal(t, "projects:read", made["scope"], "what is not known is left out")
	r := &robot{w, made["id"].(string), made["client_id"].(string), "", "http://127.0.0.1:33333/callback"}
	require.Equal(t, "invalid_request", r.ask(url.Values{"code_challenge": nil, "code_challenge_method": nil}).Query().Get("error"))
	shown := w.object(w.as(store.RoleOwner), http.MethodGet, "/platform/oauth/authorizations/"+r.request(nil), "")
	require.Equal(t, "dynamic", shown["registration_type"])
	tokens := r.issued(r.exchange(r.approve(p, store.RoleOwner, nil), nil))
	tokens = r.issued(r.refresh(tokens.RefreshToken))
	require.Equal(t, http.StatusOK, w.raw("Bearer "+tokens.AccessToken, http.MethodGet, "/v1/projects", "").Code)

	for body, want := range map[string]string{
		`{"client_name":"a","redirect_uris":["http://a.example"]}`:                                                 "invalid_redirect_uri",
		`{"client_name":"a","redirect_uris":["https://a.example"],"grant_types":["password"]}`:                     "invalid_client_metadata",
		`{"client_name":"a","redirect_uris":["https://a.example"],"token_endpoint_auth_method":"private_key_jwt"}`: "invalid_client_metadata",
	} {
		require.Equal(t, want, r.refused(w.raw("", http.MethodPost, "/platform/oauth/apps/register", body), http.StatusBadRequest))
	}
}

func TestOnlySoManyOAuthAppsRegisterThemselvesFromOneAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	register := func() int {
		return b.raw("", http.MethodPost, "/platform/oauth/apps/register", `{"client_name":"a","redirect_uris":["https://a.example/callback"]}`).Code
	}
	for range registrationsAtOnce {
		require.Equal(t, http.StatusCreated, register())
	}
	require.Equal(t, http.StatusTooManyRequests, register())
}
