package kongtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withFunction is oneRoute with a post-function whose Lua is the body of the function that a chunk returns.
func withFunction(body string) string {
	return oneRoute + "      - name: post-function\n        config: {access: [\"return function() " + body + " end\"]}\n"
}

func TestPostFunctionRunsLast(t *testing.T) {
	t.Parallel()
	b := setup(t, withFunction(`local given = kong.ctx.shared.answer; if given then kong.response.exit(tonumber(string.sub(given, 1, 3)), string.sub(given, 5), { [\"X-One\"] = \"1\" }) end`),
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("upstream")) })
	for range 2 { // one Lua answers one request after the other
		answered := b.send(t, http.MethodGet, "/", "", "Do: share:answer=201 hello; proxy")
		require.Equal(t, http.StatusCreated, answered.StatusCode)
		require.Equal(t, "hello", answered.body)
		require.Equal(t, "1", answered.Header.Get("X-One"))
		passed := b.send(t, http.MethodGet, "/", "", "Do: proxy")
		require.Equal(t, "upstream", passed.body, "what one request shared is not there for the next")
	}
}

func TestPostFunctionChangesTheUpstreamRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, withFunction(`local request = kong.service.request; request.set_path(\"/elsewhere\"); request.set_header(\"x-one\", \"1\"); request.clear_header(\"x-two\")`),
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Path + " " + r.Header.Get("X-One") + r.Header.Get("X-Two")))
		})
	require.Equal(t, "/elsewhere 1", b.send(t, http.MethodGet, "/", "", "Do: proxy", "X-Two: 2").body)
}

func TestPostFunctionThatFailsLetsNothingThrough(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`error(\"on purpose\")`, `kong.response.exit(99)`, `os.exit()`, `kong.nothing()`} {
		b := setup(t, withFunction(body), noUpstream(t))
		require.Equal(t, http.StatusInternalServerError, b.send(t, http.MethodGet, "/", "", "Do: proxy").StatusCode, body)
	}
}

func TestPostFunctionThatIsNoLuaIsRefused(t *testing.T) {
	t.Parallel()
	config := strings.Replace(withFunction(""), "return function()", "return function(", 1)
	b := setup(t, oneRoute, noUpstream(t))
	require.ErrorContains(t, b.Reload(parse(t, b, config)), "access[0]")
}
