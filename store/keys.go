package store

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// apiKeyLifetime is how long a project's legacy API keys are good for: ten years, as upstream signs them.
const apiKeyLifetime = 10 * 365 * 24 * time.Hour

// newSecrets makes everything secret that a new project starts with. Only the database password is the user's own.
func (s *Store) newSecrets(ref Ref, databasePassword string) (Secrets, error) {
	readOnly, err := newHex(s.random, 24)
	if err != nil {
		return nil, err
	}
	jwtSecret, err := newHex(s.random, 32)
	if err != nil {
		return nil, err
	}
	secrets, err := newAPIKeys(ref, jwtSecret, s.now())
	if err != nil {
		return nil, err
	}
	secrets[SecretDatabasePassword], secrets[SecretReadOnlyPassword] = databasePassword, readOnly
	return secrets, nil
}

// newAPIKeys returns a JWT secret and the legacy API keys that it signs.
func newAPIKeys(ref Ref, jwtSecret string, now time.Time) (Secrets, error) {
	secrets := Secrets{SecretJWT: jwtSecret}
	var err error
	for name, role := range map[string]string{SecretAnonKey: "anon", SecretServiceKey: "service_role"} {
		if secrets[name], err = signAPIKey(ref, role, jwtSecret, now); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// signAPIKey signs a legacy API key: an HS256 JWT with the claims that upstream's keys have.
func signAPIKey(ref Ref, role, jwtSecret string, now time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss":  "supabase",
		"ref":  string(ref),
		"role": role,
		"iat":  now.Unix(),
		"exp":  now.Add(apiKeyLifetime).Unix(),
	})
	signed, err := token.SignedString([]byte(jwtSecret))
	if err != nil {
		return "", fmt.Errorf("sign the %s key: %w", role, err)
	}
	return signed, nil
}
