package stack

import (
	_ "embed"
	"strings"

	"github.com/plurabase/plurabase/store/projectdb"
)

// measureScript asks the database and its container for what they use. It runs in the database's container; what its system
// has not, it leaves out.
//
//go:embed measure.sh
var measureScript string

// measureSQL is asked as the read-only role: what it reads of Storage's table may be what a user has put in its place.
//
//go:embed measure.sql
var measureSQL string

// Measure is the command by which a database is measured, and looked at for what is severely wrong with it. exposedSchemas are
// those that the data API shows, separated by commas; psql quotes them.
func Measure(readOnlyPassword, exposedSchemas string) Command {
	return Command{
		Args:  []string{"sh", "-c", strings.TrimSpace(measureScript)},
		Env:   Env{"PGPASSWORD": readOnlyPassword, "PGCONNECT_TIMEOUT": "5", "EXPOSED_SCHEMAS": exposedSchemas},
		Input: measureSQL + "select '-- findings';\n\\getenv schemas EXPOSED_SCHEMAS\n" + projectdb.SevereSQL() + "\n",
	}
}
