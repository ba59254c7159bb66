package projectdb

import (
	"context"
	_ "embed"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// webhooksSQL makes what Studio's database webhooks are triggers of. It may be run any number of times.
//
//go:embed webhooks.sql
var webhooksSQL string

// ErrNoWebhooks says that the database's image lacks the extension that sends webhooks.
var ErrNoWebhooks = errors.New("this project's Postgres has not the extension pg_net, which database webhooks are sent by")

// undefinedFile is SQLSTATE 58P01, feature_not_supported 0A000: what Postgres says of an extension that it has not.
const (
	undefinedFile       = "58P01"
	featureNotSupported = "0A000"
)

// EnableWebhooks makes pg_net and the trigger function of database webhooks. It takes RoleAdmin.
func (a Address) EnableWebhooks(ctx context.Context) error {
	err := a.within(ctx, func(connection *pgx.Conn) error {
		_, err := connection.Exec(ctx, webhooksSQL)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == undefinedFile || refused.Code == featureNotSupported) {
		return ErrNoWebhooks
	}
	return doing("enable webhooks", err)
}
