package services_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/services"
	"github.com/plurabase/plurabase/store"
)

// serve returns the service `storage`, which a handler plays.
func serve(t *testing.T, handler http.HandlerFunc) services.Service {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	return services.Service{
		State: store.ServiceState{Service: "storage", Host: address.Addr().String(), Port: int32(address.Port())}, Key: "the key",
	}
}

func TestARequestCarriesTheKeyAndItsPathStaysWhereItIs(t *testing.T) {
	t.Parallel()
	var uri, authorization string
	service := serve(t, func(w http.ResponseWriter, r *http.Request) {
		uri, authorization = r.RequestURI, r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{}`))
	})
	_, err := services.New().Do(t.Context(), service, services.Request{
		Method: http.MethodGet, Path: []string{"bucket", "../admin?x=1#y", "..", "é"},
	})
	require.NoError(t, err)
	require.Equal(t, "/bucket/..%2Fadmin%3Fx=1%23y/%2E%2E/%C3%A9", uri)
	require.Equal(t, "Bearer the key", authorization)
}

func TestAServicesOwnWordsReachTheUser(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		status   int
		body     string
		expected services.RefusalError
	}{
		{
			"GoTrue", 422, `{"code":422,"error_code":"email_exists","msg":"A user with this email address has already been registered"}`,
			services.RefusalError{Status: 422, Message: "A user with this email address has already been registered"},
		},
		{
			"Storage, whose true status is inside", 400, `{"statusCode":"404","error":"Bucket not found","message":"Bucket not found"}`,
			services.RefusalError{Status: 404, Message: "Bucket not found"},
		},
		{
			"PostgREST", 404, `{"code":"PGRST202","message":"Could not find the function","details":null}`,
			services.RefusalError{Status: 404, Message: "Could not find the function"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := services.New().Do(t.Context(), service, services.Request{Method: http.MethodGet})
			var refused *services.RefusalError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, test.expected, *refused)
		})
	}
}

func TestWhatIsNotAnAnswerOfTheServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := netip.MustParseAddrPort(closed.Addr().String())
	require.NoError(t, closed.Close())
	handlers := map[string]services.Service{
		"nobody listens": {State: store.ServiceState{Service: "storage", Host: "127.0.0.1", Port: int32(nobody.Port())}},
		"a redirect": serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}),
		"the key is refused":   serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
		"a failure of its own": serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"an endless answer": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for range 9 {
				_, _ = w.Write([]byte(strings.Repeat("a", 1<<20)))
			}
		}),
		"no JSON": serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }),
	}
	for name, service := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var into map[string]any
			err := services.New().DoJSON(t.Context(), service, services.Request{Method: http.MethodGet}, &into)
			var unavailable *services.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			require.Error(t, errors.Unwrap(unavailable))
		})
	}
}
