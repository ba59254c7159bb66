package pgproxy_test

import (
	"io"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// BenchmarkBytes is what a large answer takes through the proxy and past it.
func BenchmarkBytes(b *testing.B) {
	w := setup(b)
	direct, err := pgx.ParseConfig(w.direct.String())
	require.NoError(b, err)
	for name, config := range map[string]*pgx.ConnConfig{
		"direct": direct, "through": w.config(asShop), "through TLS": secured(w.config(asShop), ""),
	} {
		b.Run(name, func(b *testing.B) {
			const rows, wide = 20_000, 1_000
			conn := w.connect(config)
			b.SetBytes(rows * wide)
			for b.Loop() {
				_, err := conn.PgConn().CopyTo(b.Context(), io.Discard, "copy (select repeat('x', "+strconv.Itoa(wide)+") from generate_series(1, "+strconv.Itoa(rows)+")) to stdout")
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkQuery is one small question.
func BenchmarkQuery(b *testing.B) {
	w := setup(b)
	direct, err := pgx.ParseConfig(w.direct.String())
	require.NoError(b, err)
	for name, config := range map[string]*pgx.ConnConfig{"direct": direct, "through": w.config(asShop), "through TLS": secured(w.config(asShop), "")} {
		b.Run(name, func(b *testing.B) {
			conn := w.connect(config)
			for b.Loop() {
				_, err := conn.Exec(b.Context(), "select 1")
				require.NoError(b, err)
			}
		})
	}
}
