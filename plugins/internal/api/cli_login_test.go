package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/storetest"
)

// terminal is the CLI's side of its sign-in, as its source has it (internal/login).
type terminal struct {
	*bundle
	key       *ecdh.PrivateKey
	sessionID string
}

func newTerminal(b *bundle) *terminal {
	b.t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(b.t, err)
	return &terminal{b, key, uuid.NewString()}
}

// link is what Studio finds in the address that the CLI opens.
func (c *terminal) link() string {
	return `{"session_id":"` + c.sessionID + `","token_name":"cli_ada@laptop_1","public_key":"` + hex.EncodeToString(c.key.PublicKey().Bytes()) + `"}`
}

// signIn is what Studio's page does, and returns the code that it shows.
func (c *terminal) signIn() string {
	c.t.Helper()
	status, answer := c.send(session(c.t, ada, "ada@example.com"), http.MethodPost, "/platform/cli/login", c.link())
	require.Equal(c.t, http.StatusCreated, status, answer)
	return answer["nonce"].(string)[:8]
}

func (c *terminal) take(code string) (int, map[string]any) {
	c.t.Helper()
	return c.send("", http.MethodGet, "/platform/cli/login/"+c.sessionID+"?device_code="+code, "")
}

// decrypt reads the token as the CLI does: the shared secret itself is the key.
func (c *terminal) decrypt(answer map[string]any) string {
	c.t.Helper()
	bytes := func(name string) []byte {
		raw, err := hex.DecodeString(answer[name].(string))
		require.NoError(c.t, err)
		return raw
	}
	theirs, err := ecdh.P256().NewPublicKey(bytes("public_key"))
	require.NoError(c.t, err)
	shared, err := c.key.ECDH(theirs)
	require.NoError(c.t, err)
	block, err := aes.NewCipher(shared)
	require.NoError(c.t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(c.t, err)
	token, err := gcm.Open(nil, bytes("nonce"), bytes("access_token"), nil)
	require.NoError(c.t, err)
	return string(token)
}

func TestTheCLISignsInByWayOfTheBrowser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := newTerminal(b)
	code := c.signIn()
	status, refusal := c.take("00000000")
	require.Equal(t, http.StatusNotFound, status)
	require.NotEmpty(t, refusal["message"], "the CLI prints it")

	status, answer := c.take(code)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, c.sessionID, answer["id"])
	token := c.decrypt(answer)
	require.Regexp(t, `^sbp_[0-9a-f]{40}$`, token)
	_, profile := b.send("Bearer "+token, http.MethodGet, "/v1/profile", "")
	require.Equal(t, ada, profile["gotrue_id"])
	listed := b.raw(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile/access-tokens", "").Body.String()
	require.Contains(t, listed, "cli_ada@laptop_1")
	status, _ = c.take(code)
	require.Equal(t, http.StatusNotFound, status, "a code is good once")
	require.NotContains(t, b.logged.String(), token)
}

func TestAfterAFewWrongCodesTheTokenIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newTerminal(w.bundle)
	code := c.signIn()
	for range 5 {
		status, _ := c.take("ffffffff" + code[:1]) // never the code
		require.Equal(t, http.StatusNotFound, status)
	}
	status, _ := c.take(code)
	require.Equal(t, http.StatusNotFound, status)
	require.JSONEq(t, `[]`, w.succeed(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile/access-tokens", "").Body.String())
}

func TestATokenThatNoCLIAskedForIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := newTerminal(w.bundle)
	code := late.signIn()
	w.exec(`update platform.cli_logins set expires_at = $1`, storetest.Now)
	status, _ := late.take(code)
	require.Equal(t, http.StatusNotFound, status)
	newTerminal(w.bundle).signIn()
	var tokens []AccessToken
	w.list(session(t, ada, "ada@example.com"), "/platform/profile/access-tokens", &tokens)
	require.Len(t, tokens, 1, "the second's alone")
}

func TestWhatIsNoCLIsSignInIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	byAda := session(t, ada, "ada@example.com")
	c := newTerminal(b)
	require.Equal(t, http.StatusUnauthorized, b.raw("", http.MethodPost, "/platform/cli/login", c.link()).Code)
	for _, body := range []string{
		`{"session_id":"1","public_key":"04"}`, `{"session_id":"` + c.sessionID + `","public_key":"04"}`,
		`{"session_id":"` + c.sessionID + `","public_key":"not hexadecimal"}`, `{"session_id":"` + c.sessionID + `"}`,
	} {
		require.Equal(t, http.StatusBadRequest, b.raw(byAda, http.MethodPost, "/platform/cli/login", body).Code, body)
	}
	c.signIn()
	require.Equal(t, http.StatusConflict, b.raw(byAda, http.MethodPost, "/platform/cli/login", c.link()).Code, "a link is good once")
	c.sessionID = "nothing"
	status, _ := c.take("00000000")
	require.Equal(t, http.StatusNotFound, status)
}
