package main

import (
	"errors"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/api"
	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/store"
)

// settings are the plugin's environment variables.
type settings struct {
	store.Settings
	Identity      identity.Settings
	Mail          mail.Settings
	PublicURL     string `env:"PLURABASE_PUBLIC_URL,required,notEmpty"`
	ProjectDomain string `env:"PLURABASE_PROJECT_DOMAIN,required,notEmpty"`
	DatabaseHost  string `env:"PLURABASE_DATABASE_HOST,required,notEmpty"`
	// PostgresListen says whether the gateway has one Postgres port for every project, and PostgresAddress where the world reaches that:
	// host, or host:port where that is not 5432.
	PostgresListen  string `env:"PLURABASE_POSTGRES_LISTEN"`
	PostgresAddress string `env:"PLURABASE_POSTGRES_ADDRESS"`
	// PostgresRequiresTLS says whether that port refuses connections in plain text, whatever a project wants.
	PostgresRequiresTLS bool `env:"PLURABASE_POSTGRES_TLS_REQUIRED" envDefault:"false"`
	// PgMetaURL and PgMetaCryptoKey are for what postgres-meta generates: types. Both or neither.
	PgMetaURL       string `env:"PLURABASE_PG_META_URL"`
	PgMetaCryptoKey string `env:"PG_META_CRYPTO_KEY"`
	Target          string `env:"PLURABASE_TARGET,notEmpty" envDefault:"local"`
	// SignUps says who may make an account in Studio without an invitation: `open` (everybody), `closed` (nobody), or the
	// domains that their e-mail address may be at, separated by commas. GoTrue's own /auth/v1/signup does not know of it, and
	// must not be reached from outside (kong.standalone.yml and kong.beside.yml close it); GOTRUE_DISABLE_SIGNUP would keep out
	// the invited too.
	SignUps api.SignUps `env:"PLURABASE_SIGNUP" envDefault:"open"`
	// InstanceFile is a YAML file in which the operator says what the installation offers: package instance.
	InstanceFile string `env:"PLURABASE_INSTANCE_FILE"`
}

func (s settings) api(offered instance.Instance) api.Settings {
	return api.Settings{
		PublicURL: s.PublicURL, ProjectDomain: s.ProjectDomain, DatabaseHost: s.DatabaseHost, Target: s.Target, SignUps: s.SignUps,
		Instance: offered, Postgres: s.postgres(), PostgresPlainText: s.plainText(),
	}
}

func (s settings) plainText() api.PlainText {
	switch {
	case s.PostgresListen == "":
		return api.PlainTextNowhere
	case s.PostgresRequiresTLS:
		return api.PlainTextRefused
	}
	return api.PlainTextTaken
}

// postgres is the zero value where there is no such port, or nobody is to be told of it.
func (s settings) postgres() api.PostgresPort {
	if s.PostgresListen == "" || s.PostgresAddress == "" {
		return api.PostgresPort{}
	}
	port, _ := api.ParsePostgresPort(s.PostgresAddress) // Check has looked at it
	return port
}

// goTrue is nil where the operator did not say where GoTrue is.
func (s settings) goTrue() *gotrue.Client {
	if s.Identity.GoTrueURL == "" {
		return nil
	}
	return gotrue.New(s.Identity.GoTrueURL)
}

// pgMeta is nil where the operator did not say where postgres-meta is.
func (s settings) pgMeta() *pgmeta.Client {
	if s.PgMetaURL == "" {
		return nil
	}
	return &pgmeta.Client{URL: strings.TrimSuffix(s.PgMetaURL, "/"), CryptoKey: s.PgMetaCryptoKey}
}

// Check names the settings that are wrong.
func (s settings) Check() error {
	var missing error
	if s.PgMetaURL != "" && s.PgMetaCryptoKey == "" {
		missing = errors.New("PLURABASE_PG_META_URL needs PG_META_CRYPTO_KEY, which is postgres-meta's own CRYPTO_KEY")
	}
	var address error
	if s.PostgresAddress != "" {
		if _, ok := api.ParsePostgresPort(s.PostgresAddress); !ok {
			address = errors.New("PLURABASE_POSTGRES_ADDRESS has to be a host, or host:port")
		}
	}
	return errors.Join(s.Identity.Check(), missing, address)
}
