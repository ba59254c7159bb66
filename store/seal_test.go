package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestSealedBytesOpenOnlyWithTheirKeyAndContext(t *testing.T) {
	t.Parallel()
	key := storetest.MasterKey(t).Derive("test")
	sealed, err := store.Seal(storetest.Random(), key, []byte("secret"), "here")
	require.NoError(t, err)
	plain, err := store.Unseal(key, sealed, "here")
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))

	changed := append([]byte{}, sealed...)
	changed[len(changed)-1] ^= 1
	wrong := map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return store.Unseal(storetest.MasterKey(t).Derive("other"), sealed, "here") },
		"another context": func() ([]byte, error) { return store.Unseal(key, sealed, "there") },
		"changed bytes":   func() ([]byte, error) { return store.Unseal(key, changed, "here") },
		"too short":       func() ([]byte, error) { return store.Unseal(key, sealed[:5], "here") },
	}
	for name, open := range wrong {
		_, err := open()
		require.ErrorIs(t, err, store.ErrSealed, name)
	}
}

func TestAMasterKeyIsChecked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short", "c2hvcnQ=", storetest.MasterKeyText + "AA=="} {
		var key store.MasterKey
		err := key.UnmarshalText([]byte(text))
		require.ErrorContains(t, err, "must be 32 bytes in Base64")
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	printed := fmt.Sprintf("%v %+v %#v %v %#v", storetest.MasterKey(t), storetest.MasterKey(t), storetest.MasterKey(t),
		store.Secrets{"jwt_secret": "hush"}, store.Secrets{"jwt_secret": "hush"})
	require.NotContains(t, printed, "hush")
	require.NotContains(t, printed, "112 108") // the key's first bytes in decimal
}
