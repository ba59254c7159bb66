package main

import (
	"context"
	"time"

	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store"
)

// prepareSettings are the environment of `setup prepare`.
type prepareSettings struct {
	AdminURL         string `env:"DATABASE_ADMIN_URL,required,notEmpty"` // the superuser's
	DatabaseURL      string `env:"DATABASE_URL,required,notEmpty"`       // of the role `plurabase`
	PlatformPassword string `env:"PLURABASE_DB_PASSWORD,required,notEmpty"`
	AuthPassword     string `env:"PLURABASE_AUTH_DB_PASSWORD,required,notEmpty"`
}

// The roles of the platform's own database. The second is what upstream's GoTrue expects.
const (
	platformRole = "plurabase"
	authRole     = "supabase_auth_admin"
)

const prepareTimeout = 2 * time.Minute

// prepare makes roles and schemas, and brings the platform's schema up to date.
func (s prepareSettings) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	err := store.PrepareDatabase(ctx, s.AdminURL,
		store.DatabaseRole{Name: platformRole, Password: s.PlatformPassword}, store.DatabaseRole{Name: authRole, Password: s.AuthPassword})
	if err != nil {
		return err
	}
	return apply.Up(ctx, s.DatabaseURL)
}
