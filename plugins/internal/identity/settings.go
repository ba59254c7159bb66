package identity

import (
	"errors"
	"fmt"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
)

// minSecret is what RFC 7518, section 3.2, demands of a key for HS256, in bytes.
const minSecret = 32

// Settings say which session tokens are good. One of the first two is needed.
type Settings struct {
	// JWTSecret is the secret of the platform's own GoTrue (its GOTRUE_JWT_SECRET), at least 32 bytes. Without it, tokens signed
	// HS256 are refused.
	JWTSecret string `env:"PLURABASE_JWT_SECRET"`
	// GoTrueURL is where the gateway reaches the platform's own GoTrue, such as http://auth:9999. Its public keys are taken
	// from there; without it, tokens signed RS256, ES256 or EdDSA are refused, and nobody can sign up or reset a password in
	// Studio.
	GoTrueURL string `env:"PLURABASE_GOTRUE_URL"`
	// Issuer is the `iss` that every session token has to have (GoTrue's GOTRUE_JWT_ISSUER). Without it, any issuer is good.
	Issuer string `env:"PLURABASE_JWT_ISSUER"`
}

// Check names every setting that is wrong or missing, never its value.
func (s Settings) Check() error {
	var wrong []error
	if s.JWTSecret == "" && s.GoTrueURL == "" {
		wrong = append(wrong, errors.New("one of PLURABASE_JWT_SECRET and PLURABASE_GOTRUE_URL has to be set"))
	}
	if s.JWTSecret != "" && len(s.JWTSecret) < minSecret {
		wrong = append(wrong, fmt.Errorf("PLURABASE_JWT_SECRET must be at least %d bytes long", minSecret))
	}
	if s.GoTrueURL != "" {
		if err := gotrue.CheckAddress(s.GoTrueURL); err != nil {
			wrong = append(wrong, fmt.Errorf("PLURABASE_GOTRUE_URL %w", err))
		}
	}
	return errors.Join(wrong...)
}
