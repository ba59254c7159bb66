package store

import (
	"context"
	"fmt"
)

// CheckSchema tells whether the schema is at least the one that a process needs, and not half-way to another. A newer one is
// good: every change of it lets the processes before it go on.
func (s *Store) CheckSchema(ctx context.Context, needed uint) error {
	var version int64
	var dirty bool
	err := s.pool.QueryRow(ctx, `select version, dirty from platform.schema_migrations`).Scan(&version, &dirty)
	switch {
	case err != nil:
		return wrap("read the schema's version", err)
	case dirty:
		return fmt.Errorf("a migration to version %d of the schema has failed half-way", version)
	case version < int64(needed): //nolint:gosec // a migration's number is small
		return fmt.Errorf("the schema is at version %d, and %d is needed", version, needed)
	}
	return nil
}
