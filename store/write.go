package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// Actor is who writes, and by which request.
type Actor struct {
	ProfileID int64
	// RequestID is the same when the gateway runs a request again: Studio's X-Request-Id, or the gateway's own id.
	RequestID string
	// Fingerprint is the SHA-256 of what was asked (method, path, query, body), so that a request id that a client
	// uses twice for different things is not taken for a repetition.
	Fingerprint [32]byte
	// Address is the client's, invalid where it is not known.
	Address netip.Addr
}

// AuditEntry is one change, as the audit log keeps it.
type AuditEntry struct {
	Action         string // what was done to what, `projects.create`
	OrganizationID int64  // 0 where no organization is concerned
	ProjectRef     Ref    // empty where no project is concerned
	Details        map[string]any
}

// change is the body of a write. It returns what the write answers and what the audit log says of it.
type change[T any] func(ctx context.Context, tx pgx.Tx) (T, AuditEntry, error)

// write runs a change in one transaction, together with its audit row, and exactly once for each request: the gateway
// runs a request again when it loses the plugin's socket, and then gets the first run's answer. The kept answer is
// sealed, for it may hold a secret that is shown once. A change that failed left nothing and is tried anew.
func write[T any](ctx context.Context, s *Store, actor Actor, doing string, do change[T]) (T, error) {
	var answer T
	var entry AuditEntry
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		earlier, err := s.beginRequest(ctx, tx, actor)
		if err != nil {
			return err
		}
		if earlier != nil {
			return json.Unmarshal(earlier, &answer)
		}
		answer, entry, err = do(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, entry); err != nil {
			return err
		}
		return s.finishRequest(ctx, tx, actor, answer)
	})
	if err != nil {
		var none T
		var conflict *ConflictError
		if errors.As(err, &conflict) {
			return none, conflict
		}
		return none, wrap(doing, err)
	}
	s.memory.forgetWritten(actor, entry)
	return answer, nil
}

// beginRequest notes the request, and returns its earlier answer when it was done before. Two runs at once wait for
// each other here, at the primary key.
func (s *Store) beginRequest(ctx context.Context, tx pgx.Tx, actor Actor) ([]byte, error) {
	tag, err := tx.Exec(ctx, `
		insert into platform.requests (profile_id, request_id, fingerprint, answer, created_at)
		values ($1, $2, $3, '', $4) on conflict do nothing`,
		actor.ProfileID, actor.RequestID, actor.Fingerprint[:], s.now())
	if err != nil {
		return nil, fmt.Errorf("note the request: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil, nil
	}
	var sealed []byte
	err = tx.QueryRow(ctx, `
		select answer from platform.requests where profile_id = $1 and request_id = $2 and fingerprint = $3`,
		actor.ProfileID, actor.RequestID, actor.Fingerprint[:]).Scan(&sealed)
	if err != nil {
		return nil, fmt.Errorf("read the earlier answer: %w", err)
	}
	return s.sealer.unsealDerived("request answers", sealed, requestContext(actor))
}

func (s *Store) finishRequest(ctx context.Context, tx pgx.Tx, actor Actor, answer any) error {
	plain, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	sealed, err := Seal(s.random, s.sealer.master.Derive("request answers"), plain, requestContext(actor))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		update platform.requests set answer = $4 where profile_id = $1 and request_id = $2 and fingerprint = $3`,
		actor.ProfileID, actor.RequestID, actor.Fingerprint[:], sealed)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}

func requestContext(actor Actor) string {
	return fmt.Sprintf("request/%d/%s", actor.ProfileID, actor.RequestID)
}

// ForgetRequests drops the answers that are kept for repetitions and are older than age. The gateway repeats a
// request within seconds; a day is ample.
func (s *Store) ForgetRequests(ctx context.Context, age time.Duration) error {
	_, err := s.pool.Exec(ctx, `delete from platform.requests where created_at < $1`, s.now().Add(-age))
	return wrap("forget old requests", err)
}
