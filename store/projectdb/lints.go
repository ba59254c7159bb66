package projectdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Finding is something that one of the lints has against an object of a project's database.
type Finding struct {
	Lint        string // the lint's name, as lints has it
	Schema      string
	Object      string
	Type        string // `table`, `view`, `function`, `extension`
	Key         string // tells several findings of one object apart; may be empty
	Detail      string
	FkeyName    *string
	FkeyColumns []int32 // numbers of the columns
}

// LintMetadata names what a lint is about.
type LintMetadata struct {
	Name        string  `json:"name,omitempty"`
	Schema      string  `json:"schema,omitempty"`
	Entity      string  `json:"entity,omitempty"`
	Type        string  `json:"type,omitempty" enum:"table,view,auth,function,extension,compliance"`
	FkeyName    string  `json:"fkey_name,omitempty"`
	FkeyColumns []int32 `json:"fkey_columns,omitempty"`
}

// Metadata names what the finding is about.
func (f Finding) Metadata() LintMetadata {
	metadata := LintMetadata{Name: f.Object, Schema: f.Schema, Type: f.Type, FkeyColumns: f.FkeyColumns}
	if f.FkeyName != nil {
		metadata.FkeyName = *f.FkeyName
	}
	return metadata
}

// CacheKey is the same for the same finding.
func (f Finding) CacheKey() string {
	return strings.Trim(f.Lint+"_"+strings.Trim(f.Schema+"_"+f.Object+"_"+f.Key, "_"), "_")
}

// lint is a query for what may be wrong. Its parameters: $1 the schemas that the data API shows, $2 those that are not the
// user's own.
type lint struct{ name, sql string }

// internalSchemas are upstream's and its extensions' own, in which a user has nothing to mend.
var internalSchemas = []string{
	"_analytics", "_realtime", "_supavisor", "auth", "cron", "dbdev", "extensions", "graphql", "graphql_public",
	"information_schema", "net", "pgbouncer", "pgmq", "pgsodium", "pgsodium_masks", "pgtle", "realtime", "repack", "storage",
	"supabase_functions", "supabase_migrations", "tiger", "tiger_data", "topology", "vault",
}

// Parts of the lints' queries.
const (
	// relation is the user's own tables, views and the like.
	relation = `relation as (
		select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relispartition, c.reloptions, n.oid as schema_oid, n.nspname
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where not starts_with(n.nspname, 'pg_') and n.nspname <> all ($2::text[])
			and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
	)`
	// exposed is what the data API shows to those who hold no secret key.
	exposed = `exposed as (
		select r.* from relation r where r.nspname = any ($1::text[]) and exists (
			select from pg_roles a where a.rolname in ('anon', 'authenticated')
				and has_schema_privilege(a.oid, r.schema_oid, 'usage')
				and has_table_privilege(a.oid, r.oid, 'select, insert, update, delete'))
	)`
	// policy is the policies on the user's own tables, with their two conditions as one text.
	policy = `policy as (
		select r.oid, r.nspname, r.relname, r.relrowsecurity, p.polname, p.polpermissive, p.polcmd, p.polroles,
			concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as condition
		from relation r join pg_policy p on p.polrelid = r.oid
	)`
	// perRow is a call whose answer is the same for all rows of a statement.
	perRow = `(auth\.(uid|jwt|role|email)\(\)|current_setting\([^)]*\))`
)

var lints = []lint{
	{"unindexed_foreign_keys", `with ` + relation + `
		select r.nspname, r.relname, 'table', k.conname,
			format('The foreign key %I of the table %I.%I has no index that begins with its columns.', k.conname, r.nspname, r.relname),
			k.conname, k.conkey::int[]
		from relation r join pg_constraint k on k.conrelid = r.oid and k.contype = 'f'
		where r.relkind in ('r', 'p') and not exists (
			select from pg_index i where i.indrelid = r.oid and i.indisvalid and i.indpred is null
				and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`},
	{"auth_users_exposed", `with ` + relation + `, ` + exposed + `
		select distinct e.nspname, e.relname, 'view', '',
			format('The view %I.%I shows rows of auth.users to whoever may use the data API.', e.nspname, e.relname), null::text, null::int[]
		from exposed e
		join pg_rewrite w on w.ev_class = e.oid
		join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
		where e.relkind in ('v', 'm') and d.refobjid = to_regclass('auth.users') and not ` + securityInvoker},
	{"auth_rls_initplan", `with ` + relation + `, ` + policy + `
		select p.nspname, p.relname, 'table', p.polname,
			format('The policy %I on the table %I.%I calls a function for each row whose answer is the same for all of them: put it into a select of its own.',
				p.polname, p.nspname, p.relname), null::text, null::int[]
		from policy p where p.relrowsecurity and regexp_replace(p.condition, '\( *select +` + perRow + `', '', 'gi') ~* '` + perRow + `'`},
	{"no_primary_key", `with ` + relation + `
		select r.nspname, r.relname, 'table', '', format('The table %I.%I has no primary key.', r.nspname, r.relname), null::text, null::int[]
		from relation r
		where r.relkind = 'r' and not r.relispartition and not exists (select from pg_index i where i.indrelid = r.oid and i.indisprimary)`},
	{"unused_index", `with ` + relation + `
		select r.nspname, r.relname, 'table', s.indexrelname,
			format('The index %I of the table %I.%I has not been used since the statistics began.', s.indexrelname, r.nspname, r.relname),
			null::text, null::int[]
		from relation r
		join pg_stat_user_indexes s on s.relid = r.oid
		join pg_index i on i.indexrelid = s.indexrelid
		where s.idx_scan = 0 and not i.indisunique and not i.indisprimary
			and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`},
	{"multiple_permissive_policies", `with ` + relation + `, ` + policy + `
		select p.nspname, p.relname, 'table', a.rolname || '_' || command.name,
			format('The table %I.%I has several permissive policies for %I and %s, each of which is evaluated: %s.',
				p.nspname, p.relname, a.rolname, command.name, string_agg(quote_ident(p.polname), ', ' order by p.polname)),
			null::text, null::int[]
		from policy p
		join (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) command (code, name)
			on p.polcmd in (command.code::"char", '*')
		join pg_roles a on a.oid = any (p.polroles) or 0 = any (p.polroles) and a.rolname in ('anon', 'authenticated')
		where p.relrowsecurity and p.polpermissive
		group by p.nspname, p.relname, a.rolname, command.name having count(*) > 1`},
	{"policy_exists_rls_disabled", `with ` + relation + `, ` + policy + `
		select p.nspname, p.relname, 'table', '',
			format('The table %I.%I has policies that do nothing, for row level security is not on: %s.',
				p.nspname, p.relname, string_agg(quote_ident(p.polname), ', ' order by p.polname)), null::text, null::int[]
		from policy p where not p.relrowsecurity group by p.nspname, p.relname`},
	{"rls_enabled_no_policy", `with ` + relation + `
		select r.nspname, r.relname, 'table', '',
			format('The table %I.%I has row level security and no policy: nobody but its owner sees a row.', r.nspname, r.relname),
			null::text, null::int[]
		from relation r
		where r.relkind in ('r', 'p') and r.relrowsecurity and not exists (select from pg_policy p where p.polrelid = r.oid)`},
	{"duplicate_index", `with ` + relation + `
		select r.nspname, r.relname, case r.relkind when 'm' then 'view' else 'table' end, min(x.relname),
			format('The table %I.%I has indexes that are the same: %s.', r.nspname, r.relname, string_agg(quote_ident(x.relname), ', ' order by x.relname)),
			null::text, null::int[]
		from relation r
		join pg_index i on i.indrelid = r.oid
		join pg_class x on x.oid = i.indexrelid
		where r.relkind in ('r', 'p', 'm')
		group by r.oid, r.nspname, r.relname, r.relkind, x.relam, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
			i.indnkeyatts, pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
		having count(*) > 1`},
	{"security_definer_view", `with ` + relation + `, ` + exposed + `
		select e.nspname, e.relname, 'view', '',
			format('The view %I.%I reads with the rights of its owner, not of whoever asks: row level security does not hold in it.', e.nspname, e.relname),
			null::text, null::int[]
		from exposed e where e.relkind = 'v' and not ` + securityInvoker},
	{"function_search_path_mutable", `
		select n.nspname, f.proname, 'function', f.oid::regprocedure::text,
			format('The function %s does not set its search_path: whoever calls it decides which objects its names mean.', f.oid::regprocedure),
			null::text, null::int[]
		from pg_proc f join pg_namespace n on n.oid = f.pronamespace
		where not starts_with(n.nspname, 'pg_') and n.nspname <> all ($2::text[]) and f.prokind in ('f', 'p')
			and not exists (select from unnest(f.proconfig) setting where starts_with(setting, 'search_path='))
			and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')`},
	{"rls_disabled_in_public", `with ` + relation + `, ` + exposed + `
		select e.nspname, e.relname, 'table', '',
			format('The table %I.%I can be reached by the data API, and row level security is not on.', e.nspname, e.relname), null::text, null::int[]
		from exposed e where e.relkind in ('r', 'p') and not e.relrowsecurity`},
	{"extension_in_public", `
		select 'public', x.extname, 'extension', '', format('The extension %I is in the schema public.', x.extname), null::text, null::int[]
		from pg_extension x join pg_namespace n on n.oid = x.extnamespace
		where n.nspname = 'public'`},
	{"rls_references_user_metadata", `with ` + relation + `, ` + policy + `
		select p.nspname, p.relname, 'table', p.polname,
			format('The policy %I on the table %I.%I decides by user metadata, which users change themselves.', p.polname, p.nspname, p.relname),
			null::text, null::int[]
		from policy p where p.condition ~* '(user_metadata|raw_user_meta_data)'`},
	{"materialized_view_in_api", `with ` + relation + `, ` + exposed + `
		select e.nspname, e.relname, 'view', '',
			format('The materialized view %I.%I can be read by the data API, and row level security cannot hold for it.', e.nspname, e.relname),
			null::text, null::int[]
		from exposed e where e.relkind = 'm'`},
	{"foreign_table_in_api", `with ` + relation + `, ` + exposed + `
		select e.nspname, e.relname, 'table', '',
			format('The foreign table %I.%I can be read by the data API, and row level security cannot hold for it.', e.nspname, e.relname),
			null::text, null::int[]
		from exposed e where e.relkind = 'f'`},
	{"unsupported_reg_types", `with ` + relation + `
		select r.nspname, r.relname, 'table', a.attname,
			format('The column %I of the table %I.%I has the type %s, with which Postgres cannot be upgraded.', a.attname, r.nspname, r.relname, a.atttypid::regtype),
			null::text, null::int[]
		from relation r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
		where r.relkind in ('r', 'p', 'm') and a.atttypid::regtype::text in (
			'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure')`},
}

// securityInvoker holds for views that read with the rights of whoever asks.
const securityInvoker = `exists (
	select from pg_options_to_table(e.reloptions) o
	where o.option_name = 'security_invoker' and lower(o.option_value) in ('true', 'on', 'yes', '1'))`

// Lint looks for what may be wrong with a database: of the named lints, or of all where none is named. exposedSchemas are
// those that the data API shows.
func (a Address) Lint(ctx context.Context, exposedSchemas []string, names ...string) ([]Finding, error) {
	findings := []Finding{}
	err := a.within(ctx, func(connection *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, connection, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			for _, one := range lints {
				if len(names) > 0 && !slices.Contains(names, one.name) {
					continue
				}
				found, err := one.run(ctx, tx, exposedSchemas)
				if err != nil {
					return err
				}
				findings = append(findings, found...)
			}
			return nil
		})
	})
	return findings, doing("lint the database", err)
}

func (l lint) run(ctx context.Context, tx pgx.Tx, exposedSchemas []string) ([]Finding, error) {
	type row struct {
		Schema, Object, Type, Key, Detail string
		FkeyName                          *string
		FkeyColumns                       []int32
	}
	rows, _ := tx.Query(ctx, `
		select * from (`+l.sql+`) finding (schema, object, type, key, detail, fkey_name, fkey_columns)
		where $1::text[] is not null and $2::text[] is not null -- not every lint needs both
		order by schema, object, key`, append([]string{}, exposedSchemas...), internalSchemas)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	findings := make([]Finding, len(found))
	for i, one := range found {
		findings[i] = Finding{l.name, one.Schema, one.Object, one.Type, one.Key, one.Detail, one.FkeyName, one.FkeyColumns}
	}
	return findings, nil
}

// Severe is the level of what the members of a project are told without asking.
const Severe = "ERROR"

// MaxSevere is how many findings SevereSQL returns at most.
const MaxSevere = 1000

// SevereSQL looks for what is severe, in one statement: its one row is a JSON array of findings, as Findings reads it. It is for
// psql, whose variable `schemas` says what the data API shows, separated by commas.
func SevereSQL() string {
	arguments := strings.NewReplacer(
		"$1", `array(select trim(one) from unnest(string_to_array(:'schemas', ',')) one)`,
		"$2", "'{"+strings.Join(internalSchemas, ",")+"}'")
	var parts []string
	for _, one := range lints {
		if LintKinds[one.name].Level == Severe {
			parts = append(parts, "(select '"+one.name+"' as lint, finding.* from ("+arguments.Replace(one.sql)+
				") finding (schema, object, type, key, detail, fkey_name, fkey_columns))")
		}
	}
	return fmt.Sprintf(`select coalesce(jsonb_agg(found), '[]') from (select lint as "Lint", schema as "Schema", object as "Object", type as "Type",
		key as "Key", detail as "Detail" from (%s) every order by lint, schema, object, key limit %d) found;`, strings.Join(parts, " union all "), MaxSevere)
}
