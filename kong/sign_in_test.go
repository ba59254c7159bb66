package kong_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTooManyBadTokensHaveToWaitButGoodOnesDoNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ method, path string }{
		"a read":    {http.MethodGet, "/api/platform/profile"},
		"a write":   {http.MethodPost, "/api/platform/organizations"},
		"a query":   {http.MethodPost, "/api/platform/pg-meta/abcdefghijklmnopqrst/query"},
		"the CLI's": {http.MethodGet, "/api/v1/projects"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			// As many as an address may send at once (identity.Failures), and what it earns back while it sends them.
			const enough = 200
			var refused answer
			for range enough {
				refused = b.send(test.method, test.path, "{}", "Authorization", "Bearer sbp_0123456789abcdef0123456789abcdef01234567")
				if refused.status != http.StatusUnauthorized {
					break
				}
			}
			require.Equal(t, http.StatusTooManyRequests, refused.status)
			require.Equal(t, "too_many_requests", refused.json(t)["code"])
			require.NotEmpty(t, refused.json(t)["message"])
			seconds, err := strconv.Atoi(refused.header.Get("Retry-After"))
			require.NoError(t, err)
			require.Positive(t, seconds)

			good := b.signedIn(http.MethodGet, "/api/platform/profile", "")
			require.Equal(t, http.StatusOK, good.status, string(good.body))
		})
	}
}
