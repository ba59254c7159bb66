package gotrue_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient returns a client of what stands in for GoTrue.
func newClient(t *testing.T, standIn http.HandlerFunc) *gotrue.Client {
	t.Helper()
	server := httptest.NewServer(standIn)
	t.Cleanup(server.Close)
	return gotrue.New(server.URL + "/")
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestARefusalIsInGoTruesWords(t *testing.T) {
	t.Parallel()
	client := newClient(t, answers(http.StatusUnprocessableEntity, `{"code":422,"error_code":"weak_password","msg":"Too short."}`))
	err := client.SignUp(t.Context(), gotrue.Visitor{Email: "ada@example.com"}, "x")
	require.Equal(t, &gotrue.RefusalError{Status: 422, Code: "weak_password", Message: "Too short."}, err)
}

func TestWhatIsNotGoTrueInGoodHealthIsUnavailable(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"a failure of GoTrue's": answers(http.StatusInternalServerError, `{"code":500,"msg":"Database error finding user"}`),
		"a gateway in between":  answers(http.StatusBadGateway, `<html>`),
		"another service":       answers(http.StatusNotFound, `{"message":"no Route matched"}`),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"a connection that ends": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, standIn := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newClient(t, standIn).Recover(t.Context(), gotrue.Visitor{Email: "ada@example.com", RedirectTo: "http://a.example.com?token=secret"})
			require.ErrorIs(t, err, gotrue.ErrUnavailable)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := newClient(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from here on the server sees the client go
		cancel()
		<-r.Context().Done()
	})
	err := client.Recover(ctx, gotrue.Visitor{Email: "ada@example.com"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, gotrue.ErrUnavailable)
}

func TestKeysOfUnknownKindsAreLeftOut(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		// The elliptic curve key is the example of RFC 7517, appendix A.1.
		answers(http.StatusOK, `{"keys":[
			{"kty":"AKP","kid":"new","alg":"ML-DSA-44","pub":"AA"},
			{"kty":"oct","kid":"shared","k":"c2VjcmV0"},
			{"kty":"EC","kid":"1","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
			7]}`)(w, r)
		if r.URL.Path != "/.well-known/jwks.json" {
			panic(http.ErrAbortHandler)
		}
	})
	keys, err := client.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, "1", keys[0].KeyID)
}

func TestAnAnswerThatIsFarTooLongIsCutOff(t *testing.T) {
	t.Parallel()
	client := newClient(t, answers(http.StatusOK, `{"keys":["`+strings.Repeat("x", 2<<20)+`"]}`))
	_, err := client.Keys(t.Context())
	require.ErrorIs(t, err, gotrue.ErrUnavailable)
}
