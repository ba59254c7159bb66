package main

import (
	"errors"
	"net"

	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
)

// postgresSettings are those of the one Postgres port for every project.
type postgresSettings struct {
	// Listen is the port's address, `:5432`. Empty: there is no such port.
	Listen             string `env:"PLURABASE_POSTGRES_LISTEN"`
	Certificate        string `env:"PLURABASE_POSTGRES_TLS_CERTIFICATE"`
	Key                string `env:"PLURABASE_POSTGRES_TLS_KEY"`
	RequireTLS         bool   `env:"PLURABASE_POSTGRES_TLS_REQUIRED" envDefault:"false"`
	Connections        int    `env:"PLURABASE_POSTGRES_CONNECTIONS" envDefault:"1000"`
	ProjectConnections int    `env:"PLURABASE_POSTGRES_PROJECT_CONNECTIONS" envDefault:"200"`
}

func (s postgresSettings) check() error {
	var wrong []error
	if s.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil {
			wrong = append(wrong, errors.New("PLURABASE_POSTGRES_LISTEN has to be host:port, or :port for all addresses"))
		}
	}
	if (s.Certificate == "") != (s.Key == "") {
		wrong = append(wrong, errors.New("PLURABASE_POSTGRES_TLS_CERTIFICATE and PLURABASE_POSTGRES_TLS_KEY need each other"))
	}
	if s.Connections < 1 || s.ProjectConnections < 1 {
		wrong = append(wrong, errors.New("PLURABASE_POSTGRES_CONNECTIONS and PLURABASE_POSTGRES_PROJECT_CONNECTIONS have to be numbers from 1 on"))
	}
	return errors.Join(wrong...)
}

func (s postgresSettings) proxy() pgproxy.Settings {
	return pgproxy.Settings{
		Connections: s.Connections, ProjectConnections: s.ProjectConnections,
		Certificate: s.Certificate, Key: s.Key, RequireTLS: s.RequireTLS,
	}
}
