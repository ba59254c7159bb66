package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// serviceStandIn stands in for a project's Auth, Storage and data API: it keeps what it was asked, and answers what it was told, or
// in the shape of the real one's answer.
type serviceStandIn struct {
	asked  []string // `POST /bucket {"id":…}`
	keys   []string
	status int
	answer string
}

const aUser = `{"id":"77777777-7777-4777-8777-777777777777","aud":"authenticated","role":"authenticated","email":"new@example.com",
	"phone":"","app_metadata":{"provider":"email"},"user_metadata":{"a":1},"identities":[],"created_at":"2026-03-01T12:00:00Z"}`

const aBucket = `{"id":"avatars","name":"avatars","owner":"","public":true,"file_size_limit":null,"allowed_mime_types":null,
	"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}`

const anIdentityProvider = `{"id":"77777777-7777-4777-8777-777777777777","saml":{"entity_id":"https://idp.example.com/entity",
	"metadata_url":"https://idp.example.com"},"domains":[{"domain":"example.com"}],"created_at":"2026-03-01T12:00:00Z"}`

// usual are the answers by the beginning of what is asked; the longest one counts.
var usual = map[string]string{
	"POST /admin/users":           aUser,
	"PUT /admin/users":            aUser,
	"GET /admin/users":            `[{"id":"f1"},{"id":"f2"}]`,
	"GET /admin/sso/providers":    `{"items":[` + anIdentityProvider + `]}`,
	"GET /admin/sso/providers/":   anIdentityProvider,
	"POST /admin/sso/providers":   anIdentityProvider,
	"PUT /admin/sso/providers":    anIdentityProvider,
	"DELETE /admin/sso/providers": anIdentityProvider,
	"GET /bucket":                 `[` + aBucket + `]`,
	"GET /bucket/":                aBucket,
	"POST /object/list/":          `[{"name":"folder","id":null,"created_at":null,"updated_at":null,"last_accessed_at":null,"metadata":null}]`,
	"POST /object/list-v2/":       `{"hasNext":false,"folders":[],"objects":[]}`,
	"POST /object/sign/":          `{"signedURL":"/object/sign/avatars/a.png?token=t"}`,
	"POST /object/sign/avatars":   `{"signedURL":"/object/sign/avatars/a.png?token=t"}`,
	"GET /":                       `{"swagger":"2.0"}`,
}

func (s *serviceStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	asked := strings.TrimSpace(r.Method + " " + r.RequestURI + " " + string(body))
	s.asked, s.keys = append(s.asked, asked), append(s.keys, r.Header.Get("Apikey"))
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = io.WriteString(w, s.answerTo(asked))
}

func (s *serviceStandIn) answerTo(asked string) string {
	if s.answer != "" {
		return s.answer
	}
	answer, length := `{}`, 0
	for beginning, one := range usual {
		if strings.HasPrefix(asked, beginning) && len(beginning) > length {
			answer, length = one, len(beginning)
		}
	}
	if strings.Contains(asked, `"paths"`) {
		return `[{"path":"a.png","signedURL":"/object/sign/avatars/a.png?token=t","error":null},{"path":"b.png","signedURL":null,"error":"Either the object does not exist or you do not have access to it"}]`
	}
	return answer
}

// withServices gives a place's project its services, played by a serviceStandIn.
func (w *world) withServices(p place) *serviceStandIn {
	w.t.Helper()
	playing := &serviceStandIn{}
	server := httptest.NewServer(playing)
	w.t.Cleanup(server.Close)
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	w.exec(`update platform.projects set services = '{db,auth,rest,storage}' where ref = $1`, p.ref)
	w.exec(`delete from platform.project_services where project_id = (select id from platform.projects where ref = $1)`, p.ref)
	for _, name := range []string{"auth", "rest", "storage"} {
		w.service(p, name, address.Addr().String(), int(address.Port()), name+":v1")
	}
	return playing
}

// servicesAnswer prepares an example of a route that is proxied.
func servicesAnswer(w *world, p place) map[string]string {
	w.withServices(p)
	return map[string]string{"id": "77777777-7777-4777-8777-777777777777"}
}

var proxiedExamples = map[string]example{
	"POST /platform/auth/{ref}/invite":                             {prepare: servicesAnswer},
	"POST /platform/auth/{ref}/magiclink":                          {prepare: servicesAnswer},
	"POST /platform/auth/{ref}/otp":                                {prepare: servicesAnswer},
	"POST /platform/auth/{ref}/recover":                            {prepare: servicesAnswer},
	"POST /platform/auth/{ref}/users":                              {prepare: servicesAnswer},
	"PATCH /platform/auth/{ref}/users/{id}":                        {prepare: servicesAnswer, body: `{"ban_duration":"24h"}`},
	"DELETE /platform/auth/{ref}/users/{id}":                       {prepare: servicesAnswer},
	"DELETE /platform/auth/{ref}/users/{id}/factors":               {prepare: servicesAnswer},
	"GET /platform/projects/{ref}/api/rest":                        {prepare: servicesAnswer},
	"POST /platform/projects/{ref}/api/graphql":                    {prepare: servicesAnswer, body: `{"query":"{ a }"}`},
	"GET /platform/storage/{ref}/buckets":                          {prepare: servicesAnswer},
	"GET /v1/projects/{ref}/storage/buckets":                       {prepare: servicesAnswer},
	"POST /platform/storage/{ref}/buckets":                         {prepare: servicesAnswer, body: `{"id":"avatars","public":true,"type":"STANDARD"}`},
	"GET /platform/storage/{ref}/buckets/{id}":                     {prepare: servicesAnswer},
	"PATCH /platform/storage/{ref}/buckets/{id}":                   {prepare: servicesAnswer, body: `{"public":true,"file_size_limit":null,"allowed_mime_types":null}`},
	"DELETE /platform/storage/{ref}/buckets/{id}":                  {prepare: servicesAnswer},
	"POST /platform/storage/{ref}/buckets/{id}/empty":              {prepare: servicesAnswer},
	"POST /platform/storage/{ref}/buckets/{id}/objects/list":       {prepare: servicesAnswer, body: `{"path":"","options":{"limit":200,"offset":0,"search":"","sortBy":{"column":"name","order":"asc"}}}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/list-v2":    {prepare: servicesAnswer, body: `{}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/move":       {prepare: servicesAnswer, body: `{"from":"a","to":"b"}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/copy":       {prepare: servicesAnswer, body: `{"from":"a","to":"b"}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/sign":       {prepare: servicesAnswer, body: `{"path":"a.png","expiresIn":60}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/sign-multi": {prepare: servicesAnswer, body: `{"path":["a.png","b.png"],"expiresIn":60}`},
	"POST /platform/storage/{ref}/buckets/{id}/objects/public-url": {body: `{"path":"a.png"}`},
	"DELETE /platform/storage/{ref}/buckets/{id}/objects":          {prepare: servicesAnswer, body: `{"paths":["a.png"]}`},
}

func TestARequestReachesTheProjectsOwnServiceWithItsOwnKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	playing := w.withServices(p)
	settings := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/settings", "")
	key := settings["service_api_keys"].([]any)[1].(map[string]any)["api_key"]
	const user = "77777777-7777-4777-8777-777777777777"
	auth, storage := "/platform/auth/"+p.ref, "/platform/storage/"+p.ref+"/buckets"
	tests := []struct{ method, path, body, asked string }{
		{"POST", auth + "/invite", `{"email":"a@b.c","encrypted_password":"x"}`, `POST /invite {"email":"a@b.c"}`},
		{"POST", auth + "/otp", `{"phone":"123"}`, `POST /otp {"create_user":false,"phone":"123"}`},
		{"POST", auth + "/users", `{"email":"a@b.c","password":"hunter22","email_confirm":true}`, `POST /admin/users {"email":"a@b.c","password":"hunter22","email_confirm":true}`},
		{"PATCH", auth + "/users/" + user, `{"ban_duration":"none"}`, `PUT /admin/users/` + user + ` {"ban_duration":"none"}`},
		{"DELETE", auth + "/users/" + user + "?soft_delete=true", ``, `DELETE /admin/users/` + user + ` {"should_soft_delete":true}`},
		{"DELETE", auth + "/users/" + user + "/factors", ``, `DELETE /admin/users/` + user + `/factors/f2`},
		{"GET", storage + "?limit=100&offset=0&sortColumn=created_at&sortOrder=desc", ``, `GET /bucket?limit=100&sortColumn=created_at&sortOrder=desc`},
		{"POST", storage, `{"id":"a b","public":true,"type":"STANDARD"}`, `POST /bucket {"id":"a b","name":"a b","public":true}`},
		{"PATCH", storage + "/avatars", `{"public":false,"file_size_limit":null}`, `PUT /bucket/avatars {"public":false,"file_size_limit":null,"allowed_mime_types":null}`},
		{"POST", storage + "/..%2Fadmin/empty", ``, `POST /bucket/..%2Fadmin/empty`},
		{"POST", storage + "/avatars/objects/list", `{"path":"folder","options":{"limit":5}}`, `POST /object/list/avatars {"prefix":"folder","limit":5}`},
		{"POST", storage + "/avatars/objects/move", `{"from":"a","to":"b"}`, `POST /object/move {"bucketId":"avatars","destinationKey":"b","sourceKey":"a"}`},
		{"DELETE", storage + "/avatars/objects", `{"paths":["a"]}`, `DELETE /object/avatars {"prefixes":["a"]}`},
		{"POST", storage + "/avatars/objects/sign", `{"path":"x/../y.png","expiresIn":60}`, `POST /object/sign/avatars/x/%2E%2E/y.png {"expiresIn":60}`},
		{"POST", "/platform/projects/" + p.ref + "/api/graphql", `{"query":"{ a }"}`, `POST /rpc/graphql {"query":"{ a }"}`},
		{"GET", "/platform/projects/" + p.ref + "/api/rest", ``, `GET /`},
	}
	for _, test := range tests {
		w.succeed(owner, test.method, test.path, test.body)
		require.Equal(t, test.asked, playing.asked[len(playing.asked)-1])
		require.Equal(t, key, playing.keys[len(playing.keys)-1])
	}
}

func TestSignedAndPublicAddressesAreTheProjectsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	w.withServices(p)
	objects, storage := "/platform/storage/"+p.ref+"/buckets/avatars/objects", "http://"+p.ref+".localhost:8000/storage/v1"
	signed := w.object(owner, http.MethodPost, objects+"/sign", `{"path":"a.png","expiresIn":60,"options":{"download":true}}`)
	require.Equal(t, storage+"/object/sign/avatars/a.png?token=t&download=", signed["signedUrl"])
	public := w.object(owner, http.MethodPost, objects+"/public-url", `{"path":"a b/ü.png","options":{"transform":{"width":10}}}`)
	require.Equal(t, storage+"/render/image/public/avatars/a%20b/%C3%BC.png?width=10", public["publicUrl"])
	var several []SignedObject
	require.NoError(t, json.Unmarshal(w.succeed(owner, http.MethodPost, objects+"/sign-multi", `{"path":["a.png","b.png"],"expiresIn":60}`).Body.Bytes(), &several))
	require.Equal(t, storage+"/object/sign/avatars/a.png?token=t", several[0].SignedURL)
	require.Empty(t, several[1].SignedURL)
	require.NotNil(t, several[1].Error)
}

func TestWhyAServiceDoesNotAnswerIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	invite := func() (int, any) {
		status, refusal := w.send(owner, http.MethodPost, "/platform/auth/"+p.ref+"/invite", `{"email":"a@b.c"}`)
		return status, refusal["message"]
	}
	status, message := invite()
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "This project runs without Auth.", message)

	playing := w.withServices(p)
	playing.status, playing.answer = http.StatusUnprocessableEntity, `{"code":422,"error_code":"email_exists","msg":"A user with this email address has already been registered"}`
	status, message = invite()
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "A user with this email address has already been registered", message)

	playing.status = http.StatusUnauthorized
	status, message = invite()
	require.Equal(t, http.StatusServiceUnavailable, status, "a 401 would sign the user out of Studio")
	require.Contains(t, message, "Auth of this project cannot be reached")
	require.NotContains(t, w.logged.String(), "Bearer")

	w.exec(`update platform.projects set status = 'INACTIVE' where ref = $1`, p.ref)
	status, message = invite()
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "Auth is not running: the project is INACTIVE.", message)
}
