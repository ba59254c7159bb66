package kong_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

var s3Keys = aws.Credentials{AccessKeyID: "the-access-key", SecretAccessKey: "the-secret-of-the-access-key"}

// s3StandIn stands in for Storage's S3 protocol: it verifies signatures as src/storage/protocols/s3/signature-v4.ts does of what it
// was sent, with the environment that the provisioner gives it: STORAGE_PUBLIC_URL is the project's own, and
// S3_PROTOCOL_PREFIX is /storage/v1. It echoes the body.
func s3StandIn(host string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signature, err := signedByS3(r, host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		body, err := io.ReadAll(r.Body) // before the answer begins: net/http gives up a body that is read beside it
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Verified", signature)
		_, _ = w.Write(body)
	}
}

// signedByS3 verifies a request's signature, and returns it.
func signedByS3(r *http.Request, host string) (string, error) {
	path, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", err
	}
	said := map[string]string{}
	fields, isHeader := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if isHeader {
		for field := range strings.SplitSeq(fields, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			said[name] = value
		}
	} else {
		for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
			said[name] = query.Get("X-Amz-" + name)
		}
	}
	credential := strings.SplitN(said["Credential"], "/", 2)
	if len(credential) != 2 || credential[0] != s3Keys.AccessKeyID {
		return "", fmt.Errorf("no such access key: %v", said)
	}
	query.Del("X-Amz-Signature")
	var headers strings.Builder
	for name := range strings.SplitSeq(said["SignedHeaders"], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	date := cmp.Or(r.Header.Get("X-Amz-Date"), query.Get("X-Amz-Date"))
	request := strings.Join([]string{
		r.Method, "/storage/v1" + path, canonicalQuery(query), headers.String(), said["SignedHeaders"],
		cmp.Or(r.Header.Get("X-Amz-Content-Sha256"), "UNSIGNED-PAYLOAD"),
	}, "\n")
	sum := sha256.Sum256([]byte(request))
	key := []byte("AWS4" + s3Keys.SecretAccessKey)
	for part := range strings.SplitSeq(credential[1], "/") {
		key = hmacOf(key, part)
	}
	signature := hex.EncodeToString(hmacOf(key, strings.Join([]string{"AWS4-HMAC-SHA256", date, credential[1], hex.EncodeToString(sum[:])}, "\n")))
	if signature != said["Signature"] {
		return "", fmt.Errorf("SignatureDoesNotMatch: %q", request)
	}
	return signature, nil
}

func hmacOf(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
		pairs = append(pairs, escape(name)+"="+escape(values[0]))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// TestWhatAnS3ClientSignedStaysSigned signs requests as the AWS SDK does, whose signature holds the host, the path byte for byte, the
// query and some headers: whatever the gateway changed of them would be refused.
func TestWhatAnS3ClientSignedStaysSigned(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project()
	host := p.host() + ":8000" // the public one, as clients know it
	w.serve(p, store.ServiceStorage, "127.1.1.2", s3StandIn(host))
	w.run(`update platform.projects set services = '{db,storage}' where id = $1`, p.ID)
	w.becomes(http.StatusForbidden, host, "/storage/v1/s3/bucket")

	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // as the SDK has it for S3
	for name, one := range map[string]struct{ method, target, body string }{
		"a list":                {http.MethodGet, "/bucket?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&max-keys=10", ""},
		"a list of buckets":     {http.MethodGet, "/", ""},
		"a download":            {http.MethodGet, "/bucket/folder/file.txt", ""},
		"slashes in a row":      {http.MethodGet, "/bucket//folder///file.txt", ""},
		"an escaped slash":      {http.MethodGet, "/bucket/a%2Fb.txt", ""},
		"spaces and signs":      {http.MethodPut, "/bucket/a%20b%2Bc%28d%29%21%27%2A~_-.txt", "hello"},
		"other scripts":         {http.MethodPut, "/bucket/%E6%96%87%E4%BB%B6%20%C3%A9.txt", "hello"},
		"an at sign and colons": {http.MethodPut, "/bucket/a%40b%3Ac", "hello"},
		"a part of an upload":   {http.MethodPut, "/bucket/large?partNumber=2&uploadId=abc%3D%3D", strings.Repeat("x", 1<<20)},
		"the start of one":      {http.MethodPost, "/bucket/large?uploads=", ""},
		"a deletion":            {http.MethodDelete, "/bucket/file.txt?x-id=DeleteObject", ""},
	} {
		request := newS3Request(t, w.gateway.URL(), host, one.method, one.target, one.body)
		sum := sha256.Sum256([]byte(one.body))
		payload := hex.EncodeToString(sum[:])
		request.Header.Set("X-Amz-Content-Sha256", payload)
		request.Header.Set("X-Amz-Meta-Of", "me")
		require.NoError(t, signer.SignHTTP(t.Context(), s3Keys, request, payload, "s3", "local", time.Now()))
		answer := sendS3(t, request)
		require.Equal(t, http.StatusOK, answer.status, "%s: %s", name, answer.body)
		require.Equal(t, one.body, string(answer.body), name)
		require.Contains(t, request.Header.Get("Authorization"), answer.header.Get("Verified"), name)

		signed := newS3Request(t, w.gateway.URL(), host, one.method, one.target, "")
		location, headers, err := signer.PresignHTTP(t.Context(), s3Keys, signed, "UNSIGNED-PAYLOAD", "s3", "local", time.Now())
		require.NoError(t, err)
		_, target, _ := strings.Cut(location, "/storage/v1/s3")
		again := newS3Request(t, w.gateway.URL(), host, one.method, target, one.body)
		for header, values := range headers {
			if header != "Host" {
				again.Header[header] = values
			}
		}
		answer = sendS3(t, again)
		require.Equal(t, http.StatusOK, answer.status, "%s, signed in the URL: %s", name, answer.body)
	}

	wrong := newS3Request(t, w.gateway.URL(), host, http.MethodGet, "/bucket/file.txt", "")
	require.NoError(t, signer.SignHTTP(t.Context(), s3Keys, wrong, "UNSIGNED-PAYLOAD", "s3", "local", time.Now()))
	wrong.URL.Opaque = strings.Replace(wrong.URL.Opaque, "file", "life", 1)
	require.Equal(t, http.StatusForbidden, sendS3(t, wrong).status, "the stand-in does verify")
}

// newS3Request is a request to a project's host, with the path as it stands.
func newS3Request(t *testing.T, gateway, host, method, target, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, gateway, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	path, query, _ := strings.Cut(target, "?")
	request.Host = host
	request.URL.Opaque, request.URL.RawQuery = "//"+request.URL.Host+"/storage/v1/s3"+path, query
	return request
}

// sendS3 sends it by its path alone, as clients do: the signer wants an address before it.
func sendS3(t *testing.T, request *http.Request) answer {
	t.Helper()
	request.URL.Opaque = strings.TrimPrefix(request.URL.Opaque, "//"+request.URL.Host)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, body}
}
