package projectdb

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// TakeOver is what a database takes over from another one's history of migrations, each in a transaction of its own, as the
// supabase CLI pushes them, up to the first that fails.
type TakeOver struct {
	// Reset drops first what is the user's own: schemas, what is in `public`, the users of Auth, the history.
	Reset      bool
	Migrations []Migration // those whose version the history has already are passed over
}

// MigrationFailed begins what the script says of a migration that Postgres refuses.
const MigrationFailed = "The migration "

var (
	//go:embed take_over.sql
	takeOverSQL string
	//go:embed reset.sql
	resetSQL string
)

// SQL is a script for psql that is run as the role `postgres`, for user's SQL must not become a superuser's. It may be run any
// number of times.
func (t TakeOver) SQL() string {
	var script strings.Builder
	script.WriteString("-- plurabase: take over\nset client_min_messages = warning;\nset statement_timeout = 0;\nbegin;\n" + ensureHistory + "\ncommit;\n")
	if t.Reset {
		script.WriteString(strings.ReplaceAll(resetSQL, "{{kept}}", strings.Join(append(PlatformSchemas, "public", "information_schema"), " ")))
	}
	for _, one := range t.Migrations {
		encoded, err := json.Marshal(one)
		if err != nil { // strings, all of it
			panic(err)
		}
		script.WriteString(strings.ReplaceAll(takeOverSQL, "{{migration}}", hex.EncodeToString(encoded)))
	}
	return script.String()
}
