package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// keyLength is AES-256's, in bytes.
const keyLength = 32

// MasterKey wraps every data key. It has no default and never reaches Postgres. It prints as a placeholder.
type MasterKey struct{ key []byte }

// UnmarshalText reads 32 bytes in standard Base64, as `openssl rand -base64 32` prints them.
func (k *MasterKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != keyLength {
		return errors.New("PLURABASE_MASTER_KEY must be 32 bytes in Base64: make one with `openssl rand -base64 32`")
	}
	k.key = raw
	return nil
}

// String hides the key from logs and error messages.
func (k MasterKey) String() string { return "[master key]" }

// GoString hides the key from %#v.
func (k MasterKey) GoString() string { return k.String() }

// ID tells keys apart without telling anything of them, so that a rotation finds what is still wrapped by the old one.
func (k MasterKey) ID() string {
	sum := sha256.Sum256(append([]byte("plurabase master key id\x00"), k.key...))
	return hex.EncodeToString(sum[:4])
}

// Derive returns a 32-byte key of its own for one purpose (HKDF-SHA-256, RFC 5869), so that no key serves two.
func (k MasterKey) Derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, k.key, nil, "plurabase "+purpose, keyLength)
	if err != nil { // only for lengths that SHA-256 cannot give
		panic(err)
	}
	return key
}

// Seal encrypts plain with AES-256-GCM under a 32-byte key and binds it to context, which has to be the same when it
// is opened. The result is nonce ‖ ciphertext ‖ tag.
func Seal(random io.Reader, key, plain []byte, context string) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return gcm.Seal(nonce, nonce, plain, []byte(context)), nil
}

// ErrSealed says that something sealed did not open: another key, another context, or changed bytes.
var ErrSealed = errors.New("sealed with another key or for another use, or damaged")

// Unseal opens what Seal made.
func Unseal(key, sealed []byte, context string) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, ErrSealed
	}
	nonce, ciphertext := sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():]
	plain, err := gcm.Open(nil, nonce, ciphertext, []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare AES: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealer seals a project's secrets: each project has a random data key, which the master key wraps.
type sealer struct {
	master MasterKey
	random io.Reader
}

// newDataKey returns a fresh data key for the project and the same wrapped for storage.
func (s sealer) newDataKey(ref Ref) (key, wrapped []byte, err error) {
	key = make([]byte, keyLength)
	if _, err := io.ReadFull(s.random, key); err != nil {
		return nil, nil, fmt.Errorf("draw a data key: %w", err)
	}
	wrapped, err = Seal(s.random, s.master.Derive("data key wrapping"), key, "data-key/"+string(ref))
	return key, wrapped, err
}

func (s sealer) unwrapDataKey(ref Ref, masterKeyID string, wrapped []byte) ([]byte, error) {
	if masterKeyID != s.master.ID() {
		return nil, fmt.Errorf("the secrets of project %s are sealed with master key %s, this process has %s", ref, masterKeyID, s.master.ID())
	}
	return Unseal(s.master.Derive("data key wrapping"), wrapped, "data-key/"+string(ref))
}

func (s sealer) seal(dataKey []byte, ref Ref, name string, plain []byte) ([]byte, error) {
	return Seal(s.random, dataKey, plain, secretContext(ref, name))
}

func (s sealer) unseal(dataKey []byte, ref Ref, name string, sealed []byte) ([]byte, error) {
	return Unseal(dataKey, sealed, secretContext(ref, name))
}

func secretContext(ref Ref, name string) string { return "project-secret/" + string(ref) + "/" + name }
