package stack

import (
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// TakeOver runs another project's migrations in the project's database, as the role that its users' SQL is run as.
func TakeOver(secrets store.Secrets, what projectdb.TakeOver) Command {
	return psql(projectdb.RoleOwner, secrets[store.SecretDatabasePassword], what.SQL())
}
