package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
)

const updateEmail = "/platform/update-email"

// changer stands in for a GoTrue that is asked to change an address.
type changer struct {
	status int
	body   string

	method, path, authorization string
	sent                        map[string]any
}

func (c *changer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.method, c.path, c.authorization = r.Method, r.URL.Path, r.Header.Get("Authorization")
	sent, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(sent, &c.sent)
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body)
}

func withChanger(t *testing.T, b *bundle, status int, body string) *changer {
	t.Helper()
	c := &changer{status: status, body: body}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	b.gotrue = gotrue.New(server.URL)
	return c
}

func TestAnAddressIsChangedAtGoTrueInItsOwnersName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := withChanger(t, b, http.StatusOK, `{}`)
	byAda := session(t, ada, "ada@example.com")
	recorder := b.raw(byAda, http.MethodPut, updateEmail, `{"newEmail":"lovelace@example.com"}`)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	require.Equal(t, []string{http.MethodPut, "/user", byAda}, []string{c.method, c.path, c.authorization})
	require.Equal(t, map[string]any{"email": "lovelace@example.com"}, c.sent)

	_, profile := b.send(byAda, http.MethodGet, "/platform/profile", "")
	require.Equal(t, "ada@example.com", profile["primary_email"], "nothing is changed before GoTrue says so in a token")
	_, profile = b.send(session(t, ada, "lovelace@example.com"), http.MethodGet, "/platform/profile", "")
	require.Equal(t, "lovelace@example.com", profile["primary_email"])
}

func TestAChangeOfAddressTellsNothingOfOtherAccounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  int
		body    string
		want    int
		message string
	}{
		{"an address that is free", 200, `{}`, 200, ""},
		{"somebody else's address", 422, `{"code":422,"error_code":"email_exists","msg":"A user with this email address has already been registered"}`, 200, ""},
		{"an address that GoTrue refuses", 400, `{"code":400,"error_code":"email_address_invalid","msg":"Email address is invalid"}`, 400, "Email address is invalid"},
		{"too many mails", 429, `{"code":429,"error_code":"over_email_send_rate_limit","msg":"email rate limit exceeded"}`, 429, "email rate limit exceeded"},
		{"no GoTrue", 502, `<html>`, 503, "The sign-in service cannot be reached. Try again in a moment."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			withChanger(t, b, test.status, test.body)
			status, answer := b.send(session(t, ada, "ada@example.com"), http.MethodPut, updateEmail, `{"newEmail":"grace@example.com"}`)
			require.Equal(t, test.want, status, answer)
			if test.message != "" {
				require.Equal(t, test.message, answer["message"])
			}
		})
	}
}

func TestAnAccessTokenChangesNoAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := withChanger(t, b, http.StatusOK, `{}`)
	_, made := b.send(session(t, ada, "ada@example.com"), http.MethodPost, "/platform/profile/access-tokens", `{"name":"ci"}`)
	status, _ := b.send("Bearer "+made["token"].(string), http.MethodPut, updateEmail, `{"newEmail":"grace@example.com"}`)
	require.Equal(t, http.StatusBadRequest, status)
	for _, body := range []string{`{"newEmail":"grace"}`, `{"newEmail":""}`, `{}`} {
		status, _ = b.send(session(t, ada, "ada@example.com"), http.MethodPut, updateEmail, body)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
	require.Empty(t, c.path, "nothing of it reaches GoTrue")
	b.gotrue = nil
	status, refusal := b.send(session(t, ada, "ada@example.com"), http.MethodPut, updateEmail, `{"newEmail":"grace@example.com"}`)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, refusal["message"], "PLURABASE_GOTRUE_URL")
}
