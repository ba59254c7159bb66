package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Note writes down a change that is made elsewhere, in a project's own database, before it is made.
func (s *Store) Note(ctx context.Context, actor Actor, entry AuditEntry) error {
	_, err := write(ctx, s, actor, "note a change", func(context.Context, pgx.Tx) (struct{}, AuditEntry, error) {
		return struct{}{}, entry, nil
	})
	return err
}

// Once is Note for a change that must not be made twice, and cannot be undone together with the note: SQL of a user's own.
// The gateway runs a request again when it loses the plugin's socket; then Once refuses with a ConflictError, for whether
// the change was made is not known.
func (s *Store) Once(ctx context.Context, actor Actor, entry AuditEntry) error {
	noted := false
	_, err := write(ctx, s, actor, "note a change", func(context.Context, pgx.Tx) (struct{}, AuditEntry, error) {
		noted = true
		return struct{}{}, entry, nil
	})
	if err == nil && !noted {
		return &ConflictError{"This request was sent before, and was cut off: whether it was done is not known. Look, and send it anew."}
	}
	return err
}
