package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RotateMasterKey wraps every project's data key anew with this process' master key, and returns how many it found under
// another one. Secrets stay as they are: they are sealed with the data keys. Each project is a transaction of its own, so
// a rotation that was broken off goes on with the next call, and processes that know both keys, one as
// PLURABASE_MASTER_KEY_PREVIOUS, notice nothing.
//
// A data key under a master key that this process does not have stays as it is; the error names its project.
func (s *Store) RotateMasterKey(ctx context.Context) (rotated int, err error) {
	var problems []error
	for after := int64(0); ; {
		var one bool
		after, one, err = s.rotateNext(ctx, after)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return rotated, errors.Join(problems...)
		case errors.Is(err, errDataKey):
			problems = append(problems, err)
		case err != nil:
			return rotated, wrap("rotate the master key", err)
		case one:
			rotated++
		}
	}
}

// errDataKey says that a data key could not be opened.
var errDataKey = errors.New("the data key stays as it is")

// rotateNext rotates the first project behind the given one whose data key is under another master key.
func (s *Store) rotateNext(ctx context.Context, after int64) (projectID int64, rotated bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var ref Ref
		var masterKeyID string
		var wrapped []byte
		err := tx.QueryRow(ctx, `
			select k.project_id, p.ref, k.master_key_id, k.wrapped
			from platform.project_keys k join platform.projects p on p.id = k.project_id
			where k.master_key_id <> $1 and k.project_id > $2
			order by k.project_id limit 1 for no key update of k`, s.sealer.master.ID(), after).Scan(&projectID, &ref, &masterKeyID, &wrapped)
		if err != nil {
			return err
		}
		key, err := s.sealer.unwrapDataKey(ref, masterKeyID, wrapped)
		if err != nil {
			return fmt.Errorf("%w: %w", errDataKey, err)
		}
		if wrapped, err = s.sealer.wrapDataKey(ref, key); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update platform.project_keys set master_key_id = $2, wrapped = $3 where project_id = $1`,
			projectID, s.sealer.master.ID(), wrapped)
		rotated = tag.RowsAffected() == 1
		return err
	})
	return projectID, rotated, err
}
