package stack

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"

	"github.com/plurabase/plurabase/store"
)

// derive makes a secret of a service's own from the project's seed: HKDF-SHA-256 (RFC 5869) with the purpose as its info, as
// URL-safe Base64, four characters for each three bytes. It is kept nowhere and is the same every time, also when any other
// secret of the project is changed: what a service has encrypted with it stays readable.
func (b builder) derive(purpose string, length int) string {
	key, err := hkdf.Key(sha256.New, []byte(b.wanted.Secrets[store.SecretSeed]), nil, "plurabase service "+purpose, length)
	if err != nil { // only for more than 255 digests
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(key)
}
