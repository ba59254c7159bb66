package projectdb

// The categories of lints, in Studio's words.
const (
	Performance = "PERFORMANCE"
	Security    = "SECURITY"
)

// LintKind is what is said of a lint whatever it is about. Names and ranks are upstream's (supabase/splinter); the guide that
// says how to mend it is found by the number.
type LintKind struct {
	Level, Category, Title, Description, Guide string
}

const lintGuide = "https://supabase.com/docs/guides/database/database-linter?lint="

// LintKinds are the lints of the database, of Auth's settings and of the organization, by name.
var LintKinds = map[string]LintKind{
	"unindexed_foreign_keys":       {"INFO", Performance, "Foreign key without an index", "Without an index, what is looked up or deleted by a foreign key reads the whole table.", lintGuide + "0001_unindexed_foreign_keys"},
	"auth_users_exposed":           {"ERROR", Security, "Users exposed by a view", "A view that the data API shows gives away rows of auth.users.", lintGuide + "0002_auth_users_exposed"},
	"auth_rls_initplan":            {"WARN", Performance, "Policy evaluated anew for each row", "A function whose answer is the same for all rows is called for each of them.", lintGuide + "0003_auth_rls_initplan"},
	"no_primary_key":               {"INFO", Performance, "Table without a primary key", "Without a primary key, rows cannot be told apart, and replication and large tables suffer.", lintGuide + "0004_no_primary_key"},
	"unused_index":                 {"INFO", Performance, "Index that is not used", "An index that no query uses makes every write slower.", lintGuide + "0005_unused_index"},
	"multiple_permissive_policies": {"WARN", Performance, "Several permissive policies", "Every permissive policy for a role and a command is evaluated: one that says it all is faster.", lintGuide + "0006_multiple_permissive_policies"},
	"policy_exists_rls_disabled":   {"ERROR", Security, "Policies without row level security", "Policies do nothing until row level security is on.", lintGuide + "0007_policy_exists_rls_disabled"},
	"rls_enabled_no_policy":        {"INFO", Security, "Row level security without a policy", "With row level security and no policy, the data API shows no row.", lintGuide + "0008_rls_enabled_no_policy"},
	"duplicate_index":              {"WARN", Performance, "Indexes that are the same", "Two indexes that are the same cost twice and help once.", lintGuide + "0009_duplicate_index"},
	"security_definer_view":        {"ERROR", Security, "View with its owner's rights", "A view that is not a security invoker's reads past the policies of whoever asks.", lintGuide + "0010_security_definer_view"},
	"function_search_path_mutable": {"WARN", Security, "Function with a changeable search path", "What the names in a function mean should not be up to whoever calls it.", lintGuide + "0011_function_search_path_mutable"},
	"rls_disabled_in_public":       {"ERROR", Security, "Table without row level security", "Whoever holds the anon key can use a table that the data API shows and that has no row level security.", lintGuide + "0013_rls_disabled_in_public"},
	"extension_in_public":          {"WARN", Security, "Extension in the schema public", "An extension's functions in public are shown by the data API.", lintGuide + "0014_extension_in_public"},
	"rls_references_user_metadata": {"ERROR", Security, "Policy by user metadata", "Users change their own metadata: a policy must not decide by it.", lintGuide + "0015_rls_references_user_metadata"},
	"materialized_view_in_api":     {"WARN", Security, "Materialized view in the data API", "Row level security does not hold for materialized views.", lintGuide + "0016_materialized_view_in_api"},
	"foreign_table_in_api":         {"WARN", Security, "Foreign table in the data API", "Row level security does not hold for foreign tables.", lintGuide + "0017_foreign_table_in_api"},
	"unsupported_reg_types":        {"WARN", Security, "Column that stands in the way of an upgrade", "Postgres cannot be upgraded with columns of types that hold object ids.", lintGuide + "unsupported_reg_types"},

	"auth_otp_long_expiry":            {"WARN", Security, "Codes by mail live long", "Whoever gets hold of an old mail signs in with it: an hour is enough.", "https://supabase.com/docs/guides/platform/going-into-prod#security"},
	"auth_leaked_password_protection": {"WARN", Security, "Leaked passwords are let in", "Auth can refuse passwords that HaveIBeenPwned.org knows.", "https://supabase.com/docs/guides/auth/password-security#password-strength-and-leaked-password-protection"},
	"auth_insufficient_mfa_options":   {"WARN", Security, "Few second factors", "Users can enrol one kind of second factor, or none.", "https://supabase.com/docs/guides/auth/auth-mfa"},
	"no_backup_admin":                 {"INFO", Security, "One owner alone", "With one owner, nobody can stand in for them.", "https://supabase.com/docs/guides/platform/access-control"},
}
