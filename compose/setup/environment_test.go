package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func asked() wanted {
	return wanted{Email: "ada@plurabase.test", PublicURL: "https://studio.plurabase.test", DockerGroup: 998}
}

func TestTheFirstEnvHasStrongSecretsOfItsOwn(t *testing.T) {
	t.Parallel()
	first, _, err := complete("", asked())
	require.NoError(t, err)
	second, _, err := complete("", asked())
	require.NoError(t, err)
	values, _ := read(first)
	others, _ := read(second)
	for _, name := range []string{
		"PLURABASE_MASTER_KEY", "PLURABASE_JWT_SECRET", "PG_META_CRYPTO_KEY", "PLURABASE_ADMIN_PASSWORD",
		"PLURABASE_DB_ADMIN_PASSWORD", "PLURABASE_DB_PASSWORD", "PLURABASE_AUTH_DB_PASSWORD",
	} {
		require.GreaterOrEqual(t, len(values[name]), 44, name)
		require.NotEqual(t, values[name], others[name], name)
	}
	var key store.MasterKey
	require.NoError(t, key.UnmarshalText([]byte(values["PLURABASE_MASTER_KEY"])))
	require.Equal(t, "https://studio.plurabase.test", values["PLURABASE_STUDIO_URL"])
	require.Equal(t, "studio.plurabase.test", values["PLURABASE_PROJECT_DOMAIN"])
	require.Equal(t, "998", values["PLURABASE_DOCKER_GID"])
}

func TestWhatIsThereIsKept(t *testing.T) {
	t.Parallel()
	first, _, err := complete("# mine\nPLURABASE_SIGNUP=plurabase.test\nPLURABASE_SMTP_HOST=\"mail\"\nOTHER=1\n", asked())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first, "# mine\nPLURABASE_SIGNUP=plurabase.test\nPLURABASE_SMTP_HOST=\"mail\"\nOTHER=1\n"), first)
	again, added, err := complete(first, wanted{PublicURL: "http://localhost:1"})
	require.NoError(t, err)
	require.Empty(t, added)
	require.Equal(t, first, again)
}

func TestWhatFollowsFromTheRestFollowsIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, autoconfirm, problem string }{
		"closed":             {"PLURABASE_SIGNUP=closed\n", "true", ""},
		"open":               {"PLURABASE_SIGNUP=open\n", "true", ""},
		"open, with mail":    {"PLURABASE_SIGNUP=open\nPLURABASE_SMTP_HOST=mail\n", "false", ""},
		"domains, with mail": {"PLURABASE_SIGNUP=a.test,b.test\nPLURABASE_SMTP_HOST=mail\n", "false", ""},
		"domains, no mail":   {"PLURABASE_SIGNUP=a.test\n", "", "set PLURABASE_SMTP_HOST"},
		"edited against it":  {"PLURABASE_SIGNUP=closed\nPLURABASE_MAILER_AUTOCONFIRM=false\n", "true", ""},
		"no such address":    {"PLURABASE_ADMIN_EMAIL=\n", "true", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, _, err := complete(test.text, asked())
			if test.problem != "" {
				require.ErrorContains(t, err, test.problem)
				return
			}
			require.NoError(t, err)
			values, _ := read(text)
			require.Equal(t, test.autoconfirm, values["PLURABASE_MAILER_AUTOCONFIRM"])
			require.Equal(t, 1, strings.Count(text, "PLURABASE_MAILER_AUTOCONFIRM="))
		})
	}
}

func TestWhoeverSignsUpFirstBeginsWhereNobodyIsNamed(t *testing.T) {
	t.Parallel()
	text, _, err := complete("", wanted{PublicURL: "http://localhost:8000"})
	require.NoError(t, err)
	values, _ := read(text)
	require.Empty(t, values["PLURABASE_ADMIN_PASSWORD"])
	require.Equal(t, "open", values["PLURABASE_SIGNUP"])
	require.Equal(t, "127.0.0.1:8000", values["PLURABASE_HTTP_BIND"])
	require.Equal(t, "localhost", values["PLURABASE_DATABASE_HOST"])
}

func TestThePostgresPortLeavesAPostgresAloneThatTheMachineHas(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		url           string
		taken         bool
		bind, address string
	}{
		{"https://studio.plurabase.test", false, "127.0.0.1:5432", "studio.plurabase.test"},
		{"https://studio.plurabase.test", true, "127.0.0.1:15432", "studio.plurabase.test:15432"},
		{"http://localhost:8000", false, "127.0.0.1:5432", "127.0.0.1"},
	} {
		text, _, err := complete("", wanted{PublicURL: one.url, PostgresTaken: one.taken})
		require.NoError(t, err)
		values, _ := read(text)
		require.Equal(t, one.bind, values["PLURABASE_POSTGRES_BIND"])
		require.Equal(t, one.address, values["PLURABASE_POSTGRES_ADDRESS"])
	}
}

func TestBadWishesMakeNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	for _, w := range []wanted{{PublicURL: "studio.test"}, {PublicURL: "ftp://a"}, {PublicURL: "http://a/b"}, {PublicURL: "http://a", Email: "Ada <a@b.test>"}} {
		require.Error(t, completeFile(path, w, &bytes.Buffer{}))
	}
	require.NoFileExists(t, path)
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	var told bytes.Buffer
	require.NoError(t, completeFile(path, asked(), &told))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	values, _ := read(string(written))
	require.NotContains(t, told.String(), values["PLURABASE_MASTER_KEY"])
	require.Contains(t, told.String(), "PLURABASE_MASTER_KEY")

	told.Reset()
	require.NoError(t, completeFile(path, asked(), &told))
	require.Empty(t, told.String())
}

func TestTheProfileLeadsTheCLIWhereTheEnvSays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(file, []byte("PLURABASE_PUBLIC_URL=https://api.example\nPLURABASE_PROJECT_DOMAIN=projects.example:8443\n"), 0o600))
	require.NoError(t, runEnv([]string{"-file", file}))
	profile, err := os.ReadFile(filepath.Join(filepath.Dir(file), "plurabase.yaml"))
	require.NoError(t, err)
	require.Equal(t, "name: plurabase\napi_url: https://api.example/api\ndashboard_url: https://api.example\nproject_host: projects.example\n", string(profile))
}
