//go:build unix

package platform

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secrets are what a run folder keeps from one run to the next. They are made at random the first time.
type secrets struct {
	MasterKey       string `json:"master_key"`
	JWTSecret       string `json:"jwt_secret"`
	PgMetaCryptoKey string `json:"pg_meta_crypto_key"`
	// AccessToken is the personal access token that is shown at the start. It is made when the platform first answers.
	AccessToken string `json:"access_token"`
}

func secretsFile(folder string) string { return filepath.Join(folder, "secrets.json") }

func loadSecrets(folder string) (*secrets, error) {
	content, err := os.ReadFile(secretsFile(folder))
	if errors.Is(err, fs.ErrNotExist) {
		made := &secrets{MasterKey: randomKey(), JWTSecret: randomKey(), PgMetaCryptoKey: randomKey()}
		return made, made.save(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("read the run folder's secrets: %w", err)
	}
	kept := &secrets{}
	if err := json.Unmarshal(content, kept); err != nil {
		return nil, fmt.Errorf("read the run folder's secrets: %w", err)
	}
	return kept, nil
}

// save replaces the file in one step, so that a crash never leaves half of it.
func (s *secrets) save(folder string) error {
	content, err := json.Marshal(s) //nolint:gosec // this is the one place where they are kept, for their owner alone
	if err != nil {
		return fmt.Errorf("write the run folder's secrets: %w", err)
	}
	next := secretsFile(folder) + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write the run folder's secrets: %w", err)
	}
	return os.Rename(next, secretsFile(folder))
}

// randomKey returns 32 random bytes in Base64.
func randomKey() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw)
}
