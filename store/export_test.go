package store

import "github.com/jackc/pgx/v5"

// WithTracer lets tests see the statements that a Store sends.
func WithTracer(tracer pgx.QueryTracer) Option { return func(s *Store) { s.tracer = tracer } }
