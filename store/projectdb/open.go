package projectdb

import (
	"database/sql"

	"github.com/jackc/pgx/v5/stdlib"
)

// Open is for libraries that know database/sql alone. One connection does everything; it is made when it is first needed.
func (a Address) Open() (*sql.DB, error) {
	config, err := a.config()
	if err != nil {
		return nil, err
	}
	opened := stdlib.OpenDB(*config)
	opened.SetMaxOpenConns(1)
	return opened, nil
}
