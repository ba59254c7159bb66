package stack

import (
	"maps"
	"regexp"
	"slices"

	"github.com/plurabase/plurabase/store"
)

// closedSchema is one that none of the API's roles may use: what PostgREST shows where it shall show none.
const closedSchema = "_realtime"

var restSettings = []setting{
	{"db_schema", "PGRST_DB_SCHEMAS", func(v any) string {
		if schemas := plain(v); schemas != "" {
			return schemas
		}
		return closedSchema
	}},
	{"db_extra_search_path", "PGRST_DB_EXTRA_SEARCH_PATH", nil},
	{"max_rows", "PGRST_DB_MAX_ROWS", nil},
	{"db_pool", "PGRST_DB_POOL", nil},
	{"db_pool_acquisition_timeout", "PGRST_DB_POOL_ACQUISITION_TIMEOUT", nil},
	{"db_pool_max_lifetime", "PGRST_DB_POOL_MAX_LIFETIME", nil},
	{"db_pool_max_idletime", "PGRST_DB_POOL_MAX_IDLETIME", nil},
}

// realtimeSettings are the limits that Realtime gives the tenant that it makes when it starts. It knows no variable for the
// others of the section.
var realtimeSettings = []setting{
	{"max_bytes_per_second", "TENANT_MAX_BYTES_PER_SECOND", nil},
	{"max_channels_per_client", "TENANT_MAX_CHANNELS_PER_CLIENT", nil},
	{"max_concurrent_users", "TENANT_MAX_CONCURRENT_USERS", nil},
	{"max_events_per_second", "TENANT_MAX_EVENTS_PER_SECOND", nil},
	{"max_joins_per_second", "TENANT_MAX_JOINS_PER_SECOND", nil},
}

var storageSettings = []setting{
	{"fileSizeLimit", "FILE_SIZE_LIMIT", nil},
	{"features.s3Protocol.enabled", "S3_PROTOCOL_ENABLED", nil},
}

var poolerSettings = []setting{
	{"pool_mode", "POOLER_POOL_MODE", nil},
	{"default_pool_size", "POOLER_DEFAULT_POOL_SIZE", nil},
	{"max_client_conn", "POOLER_MAX_CLIENT_CONN", nil},
}

// postgresName and postgresValue are what becomes part of Postgres' command line.
var (
	postgresName  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	postgresValue = regexp.MustCompile(`^[A-Za-z0-9_., -]+$`)
)

// postgresCommand starts Postgres with the settings that the project's owner made, which win over those of the image's file.
// nil: the image's own command.
func (b builder) postgresCommand() []string {
	section := b.section(store.ConfigPostgres)
	var options []string
	for _, name := range slices.Sorted(maps.Keys(section)) {
		value := plain(section[name])
		if postgresName.MatchString(name) && postgresValue.MatchString(value) && name != restartOnChange {
			options = append(options, "-c", name+"="+value)
		}
	}
	if options == nil {
		return nil
	}
	return append([]string{"postgres", "-D", "/etc/postgresql"}, options...)
}

// restartOnChange is no setting of Postgres': the API says by it whether the change may wait for the next restart.
const restartOnChange = "restart_database"
