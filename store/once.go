package store

import (
	"context"
)

// Once notes a request whose work is done elsewhere, where it cannot be undone together with the note: SQL in a project's
// own database. The gateway runs a request again when it loses the plugin's socket; then Once refuses with a ConflictError,
// for whether the work was done is not known.
func (s *Store) Once(ctx context.Context, actor Actor) error {
	tag, err := s.pool.Exec(ctx, `
		insert into platform.requests (profile_id, request_id, fingerprint, answer, created_at)
		values ($1, $2, $3, '', $4) on conflict do nothing`,
		actor.ProfileID, actor.RequestID, actor.Fingerprint[:], s.now())
	if err != nil {
		return wrap("note the request", err)
	}
	if tag.RowsAffected() == 0 {
		return &ConflictError{"This request was sent before, and was cut off: whether it was done is not known. Look, and send it anew."}
	}
	return nil
}
