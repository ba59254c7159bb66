package pgmeta

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // CryptoJS' own key derivation; postgres-meta knows no other
	"encoding/base64"
	"fmt"
	"io"
)

// What CryptoJS.AES.encrypt(text, passphrase) writes, which is OpenSSL's own salted format: `Salted__`, 8 bytes of
// salt, then AES-256-CBC, whose key and IV come from the passphrase by EVP_BytesToKey with MD5 and one iteration.
const (
	saltedMagic = "Salted__"
	saltLength  = 8
)

// Encrypt encrypts a connection string the way that postgres-meta decrypts the header `x-connection-encrypted`.
func Encrypt(random io.Reader, passphrase, connectionString string) (string, error) {
	salt := make([]byte, saltLength)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	key, iv := bytesToKey([]byte(passphrase), salt)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("prepare AES: %w", err)
	}
	padded := pad([]byte(connectionString))
	out := make([]byte, len(saltedMagic)+saltLength+len(padded))
	copy(out, saltedMagic)
	copy(out[len(saltedMagic):], salt)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out[len(saltedMagic)+saltLength:], padded)
	return base64.StdEncoding.EncodeToString(out), nil
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one iteration, for a 32-byte key and a 16-byte IV.
func bytesToKey(passphrase, salt []byte) (key, iv []byte) {
	var derived, digest []byte
	for len(derived) < keyLength+aes.BlockSize {
		sum := md5.Sum(bytes.Join([][]byte{digest, passphrase, salt}, nil)) //nolint:gosec // see above
		digest = sum[:]
		derived = append(derived, digest...)
	}
	return derived[:keyLength], derived[keyLength : keyLength+aes.BlockSize]
}

// keyLength is AES-256's, in bytes.
const keyLength = 32

// pad is PKCS#7: as many bytes as are missing, each of that value, a whole block where none is missing.
func pad(plain []byte) []byte {
	missing := aes.BlockSize - len(plain)%aes.BlockSize
	return append(plain, bytes.Repeat([]byte{byte(missing)}, missing)...)
}
