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

// IsZero tells whether there is no key.
func (k MasterKey) IsZero() bool { return len(k.key) == 0 }

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
	master   MasterKey
	previous MasterKey // for reading alone; zero where there is none
	random   io.Reader
	wrapping []wrappingKey // of the master keys, the current one first
}

// wrappingKey is what a master key wraps data keys with. It is derived once: secrets are opened on a request's way.
type wrappingKey struct {
	masterKeyID string
	key         []byte
}

func newSealer(master, previous MasterKey, random io.Reader) sealer {
	s := sealer{master: master, previous: previous, random: random}
	for _, key := range s.keys() {
		s.wrapping = append(s.wrapping, wrappingKey{key.ID(), key.Derive(wrapping)})
	}
	return s
}

// newDataKey returns a fresh data key for the project and the same wrapped for storage.
func (s sealer) newDataKey(ref Ref) (key, wrapped []byte, err error) {
	key = make([]byte, keyLength)
	if _, err := io.ReadFull(s.random, key); err != nil {
		return nil, nil, fmt.Errorf("draw a data key: %w", err)
	}
	wrapped, err = s.wrapDataKey(ref, key)
	return key, wrapped, err
}

// wrapping is what the master key wraps data keys with.
const wrapping = "data key wrapping"

func dataKeyContext(ref Ref) string { return "data-key/" + string(ref) }

func (s sealer) wrapDataKey(ref Ref, key []byte) ([]byte, error) {
	return Seal(s.random, s.wrapping[0].key, key, dataKeyContext(ref))
}

func (s sealer) unwrapDataKey(ref Ref, masterKeyID string, wrapped []byte) ([]byte, error) {
	for _, one := range s.wrapping {
		if masterKeyID == one.masterKeyID {
			return Unseal(one.key, wrapped, dataKeyContext(ref))
		}
	}
	return nil, fmt.Errorf("the secrets of project %s are sealed with master key %s, this process has %s", ref, masterKeyID, s.master.ID())
}

// keys are the master keys that this process can read with, the current one first.
func (s sealer) keys() []MasterKey {
	if s.previous.IsZero() {
		return []MasterKey{s.master}
	}
	return []MasterKey{s.master, s.previous}
}

// unsealDerived opens what was sealed with a key derived for a purpose from one of the master keys.
func (s sealer) unsealDerived(purpose string, sealed []byte, context string) (plain []byte, err error) {
	for _, key := range s.keys() {
		if plain, err = Unseal(key.Derive(purpose), sealed, context); err == nil {
			return plain, nil
		}
	}
	return nil, err
}

func (s sealer) seal(dataKey []byte, ref Ref, name string, plain []byte) ([]byte, error) {
	return Seal(s.random, dataKey, plain, secretContext(ref, name))
}

func (s sealer) unseal(dataKey []byte, ref Ref, name string, sealed []byte) ([]byte, error) {
	return Unseal(dataKey, sealed, secretContext(ref, name))
}

func secretContext(ref Ref, name string) string { return "project-secret/" + string(ref) + "/" + name }
