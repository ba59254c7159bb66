package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// formBoundary parts what the tests upload.
const formBoundary = "boundary-of-the-tests"

const formType = multipartForm + "; boundary=" + formBoundary

// functionUploadForm is an upload of files, by their paths.
func functionUploadForm(metadata string, files map[string]string) string {
	var form strings.Builder
	form.WriteString("--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n" + metadata + "\r\n")
	for path, content := range files {
		form.WriteString("--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + path + "\"\r\n\r\n" + content + "\r\n")
	}
	return form.String() + "--" + formBoundary + "--\r\n"
}

const helloSource = "Deno.serve(() => new Response('hello'))"

var helloForm = functionUploadForm(`{"name":"hello","entrypoint_path":"index.ts"}`, map[string]string{"index.ts": helloSource})

// functionExamples: the function `hello` is deployed first, where the route needs one.
var functionExamples = map[string]example{
	"POST /v1/projects/{ref}/functions":                   {body: `{"slug":"single","name":"single","body":"Deno.serve(() => new Response())"}`},
	"POST /v1/projects/{ref}/functions/deploy":            {contentType: formType, body: helloForm, query: "slug=hello"},
	"PUT /v1/projects/{ref}/functions":                    {prepare: aFunction, body: `[{"id":"hello","slug":"hello","name":"hello","status":"ACTIVE","version":1}]`},
	"GET /v1/projects/{ref}/functions/{function_slug}":    {prepare: aFunction},
	"PATCH /v1/projects/{ref}/functions/{function_slug}":  {prepare: aFunction, body: `{"verify_jwt":false}`},
	"DELETE /v1/projects/{ref}/functions/{function_slug}": {prepare: aFunction},
	// Whoever does not ask for the files gets no bundle, for none is kept.
	"GET /v1/projects/{ref}/functions/{function_slug}/body": {prepare: aFunction, status: http.StatusNotAcceptable},
}

func aFunction(w *world, p place) map[string]string {
	recorder := w.rawAs(formType, callers[2].authorization(w.t), http.MethodPost, "/v1/projects/"+p.ref+"/functions/deploy?slug=hello", helloForm)
	require.Equal(w.t, http.StatusCreated, recorder.Code, recorder.Body)
	var made V1Function
	require.NoError(w.t, json.Unmarshal(recorder.Body.Bytes(), &made))
	return map[string]string{"function_slug": "hello", "function_id": made.ID}
}

func TestAFunctionGoesUpAndComesDownAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	path := "/v1/projects/" + b.project(owner, b.organization(owner), "shop") + "/functions"
	binary := "\x00\xff\r\n--not-the-boundary\xfe"
	files := map[string]string{
		"supabase/functions/hello/index.ts": helloSource, "supabase/functions/hello/deno.json": `{"imports":{}}`, "supabase/functions/hello/logo.png": binary,
	}
	form := functionUploadForm(`{"name":"Hello","entrypoint_path":"supabase/functions/hello/index.ts",
		"import_map_path":"supabase/functions/hello/deno.json","verify_jwt":false}`, files)
	deployed := decoded(t, b.rawAs(formType, owner, http.MethodPost, path+"/deploy?slug=hello", form), http.StatusCreated)
	require.Equal(t, "ACTIVE", deployed["status"])
	require.Equal(t, false, deployed["verify_jwt"])
	require.Equal(t, true, deployed["import_map"])
	require.Regexp(t, `^file:///tmp/user_fn_[a-z]{20}_[0-9a-f-]{36}_1/source/supabase/functions/hello/index\.ts$`, deployed["entrypoint_path"])

	require.Equal(t, files, download(t, b, owner, path+"/hello/body"))
	second := functionUploadForm(`{"entrypoint_path":"`+deployed["entrypoint_path"].(string)+`"}`, map[string]string{"supabase/functions/hello/index.ts": "2"})
	redeployed := decoded(t, b.rawAs(formType, owner, http.MethodPost, path+"/deploy?slug=hello", second), http.StatusCreated)
	require.Equal(t, deployed["id"], redeployed["id"])
	require.InEpsilon(t, 2, redeployed["version"], 0)
	require.Equal(t, true, redeployed["verify_jwt"], "what is not said is so")
	require.Equal(t, map[string]string{"supabase/functions/hello/index.ts": "2"}, download(t, b, owner, path+"/hello/body"))

	patched := decoded(t, b.raw(owner, http.MethodPatch, path+"/hello", `{"body":"3"}`), http.StatusOK)
	require.InEpsilon(t, 3, patched["version"], 0)
	require.Equal(t, map[string]string{"index.ts": "3"}, download(t, b, owner, path+"/hello/body"))
	require.Equal(t, http.StatusOK, b.raw(owner, http.MethodDelete, path+"/hello", "").Code)
	require.JSONEq(t, `[]`, b.raw(owner, http.MethodGet, path, "").Body.String())
	require.Equal(t, http.StatusNotFound, b.raw(owner, http.MethodGet, path+"/hello", "").Code)
	require.Equal(t, http.StatusNotFound, b.raw(owner, http.MethodDelete, path+"/hello", "").Code)
}

func TestUploadedFunctionsRunTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	path := "/v1/projects/" + b.project(owner, b.organization(owner), "shop") + "/functions"
	for _, slug := range []string{"one", "two"} {
		decoded(t, b.rawAs(formType, owner, http.MethodPost, path+"/deploy?bundleOnly=true&slug="+slug, helloForm), http.StatusCreated)
	}
	require.JSONEq(t, `[]`, b.raw(owner, http.MethodGet, path, "").Body.String())
	refused := b.raw(owner, http.MethodPut, path, `[{"slug":"one","version":1},{"slug":"two","version":2}]`)
	require.Equal(t, http.StatusNotFound, refused.Code, refused.Body)
	require.JSONEq(t, `[]`, b.raw(owner, http.MethodGet, path, "").Body.String())

	ran := decoded(t, b.raw(owner, http.MethodPut, path, `[{"slug":"one","version":1},{"slug":"two","version":1}]`), http.StatusOK)
	require.Len(t, ran["functions"], 2)
	require.Equal(t, map[string]string{"index.ts": helloSource}, download(t, b, owner, path+"/two/body"))
}

func TestWhatCannotBeAFunctionIsRefusedInWords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	path := "/v1/projects/" + b.project(owner, b.organization(owner), "shop") + "/functions"
	index := map[string]string{"index.ts": helloSource}
	large := functionUploadForm(`{"entrypoint_path":"index.ts"}`, map[string]string{"index.ts": strings.Repeat("a", maxFunction)})
	tests := []struct{ name, contentType, query, form, message string }{
		{"no form", "application/json", "slug=a", `{}`, "A function is deployed as multipart/form-data."},
		{"a form that is cut off", formType, "slug=a", helloForm[:80], "The form is cut off, or not well-formed."},
		{"no slug", formType, "", functionUploadForm(`{"entrypoint_path":"index.ts"}`, index), "slug: expected a letter, and then up to 127 letters, digits, _ and -."},
		{"a slug that is a path", formType, "slug=../main", helloForm, "slug: expected a letter, and then up to 127 letters, digits, _ and -."},
		{"metadata that is no JSON", formType, "slug=a", functionUploadForm(`{`, index), "metadata: not the JSON that is expected here."},
		{"an entrypoint that was not sent", formType, "slug=a", functionUploadForm(`{"entrypoint_path":"main.ts"}`, index), "entrypoint_path: no file of this path was sent."},
		{"an import map that was not sent", formType, "slug=a", functionUploadForm(`{"entrypoint_path":"index.ts","import_map_path":"deno.json"}`, index), "import_map_path: no file of this path was sent."},
		{"a file elsewhere", formType, "slug=a", functionUploadForm(`{"entrypoint_path":"index.ts"}`, map[string]string{"../../etc/passwd": ""}), "file: each needs a path as its filename that stays within the function's own folder."},
		{"a file at the root", formType, "slug=a", functionUploadForm(`{"entrypoint_path":"index.ts"}`, map[string]string{"/etc/passwd": ""}), "file: each needs a path as its filename that stays within the function's own folder."},
		{"too much", formType, "slug=a", large, "The body is larger than 20 MB."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			refused := b.rawAs(test.contentType, owner, http.MethodPost, path+"/deploy?"+test.query, test.form)
			require.GreaterOrEqual(t, refused.Code, 400, refused.Body)
			require.Less(t, refused.Code, 500)
			require.Equal(t, test.message, messageOf(refused))
		})
	}
	bundled := b.rawAs("application/vnd.denoland.eszip", owner, http.MethodPost, path, "EZBR")
	require.Equal(t, http.StatusUnsupportedMediaType, bundled.Code)
	require.Equal(t, bundlesRefused, messageOf(bundled))
	require.JSONEq(t, `[]`, b.raw(owner, http.MethodGet, path, "").Body.String())
}

func FuzzReadUpload(f *testing.F) {
	f.Add(formType, []byte(helloForm))
	f.Add(multipartForm+"; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=file; filename*=utf-8''..%2fa\r\n\r\n\r\n--x--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		upload, err := readUpload(contentType, body)
		if err != nil {
			return
		}
		for path := range upload.files {
			require.NotContains(t, "/"+path+"/", "/../")
			require.NotEqual(t, byte('/'), path[0])
		}
	})
}

// download gets a function's files.
func download(t *testing.T, b *bundle, authorization, path string) map[string]string {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	request.Header.Set("Authorization", authorization)
	request.Header.Set("Accept", multipartForm)
	recorder := httptest.NewRecorder()
	b.ServeHTTP(recorder, request)
	looksOn.note(t.Name(), request, recorder)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	_, parameters, err := mime.ParseMediaType(recorder.Header().Get("Content-Type"))
	require.NoError(t, err)
	files := map[string]string{}
	var metadata struct {
		Entrypoint string `json:"deno2_entrypoint_path"`
	}
	form := multipart.NewReader(bytes.NewReader(recorder.Body.Bytes()), parameters["boundary"])
	for {
		part, err := form.NextRawPart()
		if err == io.EOF { //nolint:errorlint // the reader gives it as it is
			require.Contains(t, files, metadata.Entrypoint)
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(part)
		require.NoError(t, err)
		_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		require.NoError(t, err)
		if disposition["name"] == "metadata" {
			require.NoError(t, json.Unmarshal(content, &metadata))
			continue
		}
		files[disposition["filename"]] = string(content)
	}
}

// decoded is the object of an answer of a status.
func decoded(t *testing.T, recorder *httptest.ResponseRecorder, status int) map[string]any {
	t.Helper()
	require.Equal(t, status, recorder.Code, recorder.Body)
	var object map[string]any
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &object))
	return object
}

func TestTheManagementClientMakesAFunction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner := session(t, ada, "ada@example.com")
	path := "/v1/projects/" + b.project(owner, b.organization(owner), "shop") + "/functions"
	const asTheClientSays = "text/plain;charset=UTF-8"
	made := b.rawAs(asTheClientSays, owner, http.MethodPost, path, `{"slug":"hello","name":"hello","body":"Deno.serve(() => new Response())"}`)
	require.Equal(t, http.StatusCreated, made.Code, made.Body)
	changed := b.rawAs(asTheClientSays, owner, http.MethodPatch, path+"/hello", `{"verify_jwt":false}`)
	require.Equal(t, http.StatusOK, changed.Code, changed.Body)
	require.Contains(t, changed.Body.String(), `"verify_jwt":false`)
	require.Equal(t, http.StatusBadRequest, b.rawAs(asTheClientSays, owner, http.MethodPatch, path+"/hello", "not JSON").Code)
}
