package api

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// CLILoginNonce is what Studio is told of a CLI that signs in: it shows the first eight digits as the code.
type CLILoginNonce struct {
	ID    string `json:"id"`
	Nonce string `json:"nonce"`
}

// CLILoginSession is an access token as only the CLI that it is for can read it (its internal/login). All is hexadecimal.
type CLILoginSession struct {
	ID          string    `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	AccessToken string    `json:"access_token" doc:"AES-256-GCM; the key is what ECDH on P-256 makes of both sides' keys."`
	PublicKey   string    `json:"public_key" doc:"Of this side: an uncompressed point."`
	Nonce       string    `json:"nonce"`
}

type createCLILoginInput struct {
	Body struct {
		SessionID string  `json:"session_id" format:"uuid"`
		PublicKey string  `json:"public_key" minLength:"1" maxLength:"256" doc:"Of the CLI: an uncompressed point on P-256, hexadecimal."`
		TokenName *string `json:"token_name,omitempty" maxLength:"256"`
	}
}

type cliLoginInput struct {
	SessionID  string `path:"session_id"`
	DeviceCode string `query:"device_code" maxLength:"64" doc:"What Studio shows."`
}

// defaultTokenName is what an access token is called whose CLI gave it no name.
const defaultTokenName = "supabase CLI"

func (a *API) registerCLILogin() {
	handle(a, route{
		method: http.MethodPost, path: "/platform/cli/login", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Make an access token for a CLI that signs in by way of the browser",
	}, a.createCLILogin)
	handle(a, route{
		method: http.MethodGet, path: "/platform/cli/login/{session_id}", permission: access.Anyone(),
		kind: Real, summary: "Hand an access token out to the CLI that it was made for, encrypted, once",
	}, a.takeCLILogin)
}

func (a *API) createCLILogin(ctx context.Context, c *call, in *createCLILoginInput) (CLILoginNonce, error) {
	sessionID, err := uuid.Parse(in.Body.SessionID)
	if err != nil {
		return CLILoginNonce{}, problem.BadRequest("session_id has to be a UUID.")
	}
	key, err := cliKey(in.Body.PublicKey)
	if err != nil {
		return CLILoginNonce{}, problem.BadRequest("public_key has to be an uncompressed point on P-256, in hexadecimal digits.")
	}
	name := defaultTokenName
	if in.Body.TokenName != nil && strings.TrimSpace(*in.Body.TokenName) != "" {
		name = *in.Body.TokenName
	}
	login, err := a.store.CreateCLILogin(ctx, c.actor, sessionID, name, func(token string) (store.SealedToken, error) { return sealForCLI(key, token) })
	return CLILoginNonce{sessionID.String(), login.Nonce}, err
}

// takeCLILogin needs no token: what it answers is of use to nobody but the CLI that has the private key.
func (a *API) takeCLILogin(ctx context.Context, _ *call, in *cliLoginInput) (CLILoginSession, error) {
	const unknown = "This code is not the one that Studio shows, or it has expired. Try again, or begin anew with `supabase login`."
	sessionID, err := uuid.Parse(in.SessionID)
	if err != nil {
		return CLILoginSession{}, problem.NotFound(unknown)
	}
	login, err := a.store.TakeCLILogin(ctx, sessionID, strings.ToLower(strings.TrimSpace(in.DeviceCode)))
	if err != nil {
		return CLILoginSession{}, problem.OrNotFound(err, unknown)
	}
	return CLILoginSession{
		ID: login.SessionID.String(), CreatedAt: login.CreatedAt,
		AccessToken: login.Ciphertext, PublicKey: login.PublicKey, Nonce: login.Nonce,
	}, nil
}

func cliKey(text string) (*ecdh.PublicKey, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return ecdh.P256().NewPublicKey(raw)
}

// sealForCLI encrypts a token as the CLI decrypts it: the key of AES-256-GCM is the shared secret as ECDH gives it.
func sealForCLI(key *ecdh.PublicKey, token string) (store.SealedToken, error) {
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return store.SealedToken{}, fmt.Errorf("make a key for a CLI: %w", err)
	}
	shared, err := own.ECDH(key)
	if err != nil {
		return store.SealedToken{}, fmt.Errorf("agree on a key with a CLI: %w", err)
	}
	block, err := aes.NewCipher(shared)
	if err != nil {
		return store.SealedToken{}, fmt.Errorf("prepare AES: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return store.SealedToken{}, fmt.Errorf("prepare GCM: %w", err)
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return store.SealedToken{}, fmt.Errorf("draw a nonce: %w", err)
	}
	return store.SealedToken{
		PublicKey: hex.EncodeToString(own.PublicKey().Bytes()), Nonce: hex.EncodeToString(nonce),
		Ciphertext: hex.EncodeToString(gcm.Seal(nil, nonce, []byte(token), nil)),
	}, nil
}
