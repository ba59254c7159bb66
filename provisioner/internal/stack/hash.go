package stack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// keyedHash returns HMAC-SHA-256 of the parts as JSON, in hexadecimal, shortened to 128 bits to be read by people.
func keyedHash(key string, parts ...any) string {
	encoded, err := json.Marshal(parts)
	if err != nil { // only for types that JSON does not have
		panic(err)
	}
	mac := hmac.New(sha256.New, []byte("plurabase config hash\x00"+key))
	mac.Write(encoded)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
