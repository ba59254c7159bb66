package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

func TestTheImageDefinesTheVariable(t *testing.T) {
	t.Parallel()
	image, err := kongtest.ReadImage("../../../kong/Dockerfile")
	require.NoError(t, err)
	require.Equal(t, map[string]string{Variable: VariableText()}, image.ProxySet)
}

// given is a variable's value with some fields set.
func given(set map[string]string) fields {
	values := make(fields, len(variableFields))
	for i, name := range variableFields {
		values[i] = set[name]
	}
	return values
}

func TestARequestIsWhatTheVariableSays(t *testing.T) {
	t.Parallel()
	request, err := given(map[string]string{
		"request_method": "GET", "request_uri": "/api/platform/projects?limit=2", "remote_addr": "192.0.2.7", "request_id": "gateways",
		"http_host": "studio.example.com", "http_authorization": `Bearer "a b", c`, "http_x_request_id": "clients",
	}).request()
	require.NoError(t, err)
	require.Equal(t, "GET /platform/projects 2", request.Method+" "+strings.TrimPrefix(request.URL.Path, Prefix)+" "+request.URL.Query().Get("limit"))
	require.Equal(t, "192.0.2.7:0", request.RemoteAddr)
	require.Equal(t, "studio.example.com", request.Host)
	require.Equal(t, http.Header{
		"Host": {"studio.example.com"}, "Authorization": {`Bearer "a b", c`}, "X-Request-Id": {"clients"},
	}, request.Header, "a header that did not come is not there")
}

func TestTheGatewaysIDStandsInForTheClients(t *testing.T) {
	t.Parallel()
	request, err := given(map[string]string{"request_uri": "/api/", "request_id": "gateways", "remote_addr": "::1"}).request()
	require.NoError(t, err)
	require.Equal(t, "gateways", request.Header.Get("X-Request-Id"))
	require.Equal(t, "[::1]:0", request.RemoteAddr)
}

func TestAPathThatIsNotCleanIsRefusedFromTheVariableToo(t *testing.T) {
	t.Parallel()
	_, err := given(map[string]string{"request_uri": "/api/platform/x/..%2fprofile"}).request()
	require.ErrorContains(t, err, "dots")
}

func TestTheHandOversFormIsWhatItsLuaReads(t *testing.T) {
	t.Parallel()
	require.Equal(t, "200\nA: b: c\n\n{}\n", answerText(200, http.Header{"A": {"b: c"}}, []byte("{}\n")))
	require.Equal(t, "000\nauthorization: \n\n/query", passText(Pass{Path: "/query", Headers: map[string]string{"authorization": ""}}))
	for _, value := range []string{"a\nb", "a\rb", "a\x00", "\xff"} {
		require.False(t, sendable(value), "%q would end the header, or make Kong drop all", value)
	}
	require.False(t, single(http.Header{"Set-Cookie": {"a", "b"}}), "two of a name have no form")
}
