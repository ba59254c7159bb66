package main

import (
	"github.com/plurabase/plurabase/plugins/internal/api"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/store"
)

// settings are the plugin's environment variables.
type settings struct {
	store.Settings
	Identity      identity.Settings
	PublicURL     string `env:"PLURABASE_PUBLIC_URL,required,notEmpty"`
	ProjectDomain string `env:"PLURABASE_PROJECT_DOMAIN,required,notEmpty"`
	DatabaseHost  string `env:"PLURABASE_DATABASE_HOST,required,notEmpty"`
}

func (s settings) api() api.Settings {
	return api.Settings{PublicURL: s.PublicURL, ProjectDomain: s.ProjectDomain, DatabaseHost: s.DatabaseHost}
}

// Check names the settings that are wrong.
func (s settings) Check() error { return s.Identity.Check() }
