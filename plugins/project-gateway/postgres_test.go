package main

import (
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
)

// readPostgres reads the settings as compose passes them on: those that nobody set are there, and empty.
func readPostgres(given map[string]string) (postgresSettings, error) {
	environment := map[string]string{"PLURABASE_POSTGRES_TLS_REQUIRED": "", "PLURABASE_POSTGRES_CONNECTIONS": "", "PLURABASE_POSTGRES_PROJECT_CONNECTIONS": ""}
	for name, value := range given {
		environment[name] = value
	}
	return env.ParseAsWithOptions[postgresSettings](env.Options{Environment: environment})
}

func TestThePostgresPortIsOffUntilItIsNamed(t *testing.T) {
	t.Parallel()
	s, err := readPostgres(nil)
	require.NoError(t, err)
	require.NoError(t, s.check())
	require.Equal(t, postgresSettings{Connections: 1000, ProjectConnections: 200}, s)
}

func TestWrongSettingsOfThePostgresPortAreNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"PLURABASE_POSTGRES_LISTEN": "5432", "PLURABASE_POSTGRES_TLS_CERTIFICATE": "/tls.crt", "PLURABASE_POSTGRES_TLS_KEY": "/tls.key",
		"PLURABASE_POSTGRES_CONNECTIONS": "0", "PLURABASE_POSTGRES_PROJECT_CONNECTIONS": "-1",
	} {
		s, err := readPostgres(map[string]string{name: value})
		require.NoError(t, err)
		require.ErrorContains(t, s.check(), name)
	}
}
