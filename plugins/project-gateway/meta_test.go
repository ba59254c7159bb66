package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPostgresMetaIsFoundByItsNameOrAddress(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://127.0.0.1:8080": "127.0.0.1:8080", "http://localhost:8080/": "127.0.0.1:8080", "http://127.0.0.1": "127.0.0.1:80",
	} {
		s := metaSettings{Serve: true, URL: url, CryptoKey: "key"}
		require.NoError(t, s.check())
		meta := s.meta()
		for range 2 {
			found, err := meta.Target()
			require.NoError(t, err)
			require.Equal(t, want, found.String())
		}
	}
	require.Nil(t, metaSettings{Serve: false, URL: "http://127.0.0.1:8080", CryptoKey: "key"}.meta().Target)
	require.Nil(t, metaSettings{Serve: true}.meta().Target)
}

func TestAnAddressThatKongCouldNotUseIsRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://meta:8080", "meta:8080", "http://meta:8080/path", "http://:8080", "http://meta:0", "http://meta:99999"} {
		require.ErrorContains(t, metaSettings{Serve: true, URL: url, CryptoKey: "key"}.check(), "PLURABASE_PG_META_URL", url)
	}
	require.ErrorContains(t, metaSettings{Serve: true, URL: "http://meta:8080"}.check(), "PG_META_CRYPTO_KEY")
	require.NoError(t, metaSettings{Serve: false, URL: "https://meta:8080"}.check())
}
