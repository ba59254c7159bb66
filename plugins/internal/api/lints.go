package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

const keysUnwatched = "Nobody watches public places for this platform's keys."

// Lint is something that the advisors have against a project.
type Lint struct {
	Name        string       `json:"name"`
	Title       string       `json:"title"`
	Level       string       `json:"level" enum:"ERROR,WARN,INFO"`
	Facing      string       `json:"facing" enum:"EXTERNAL"`
	Categories  []string     `json:"categories" enum:"PERFORMANCE,SECURITY"`
	Description string       `json:"description"`
	Detail      string       `json:"detail"`
	Remediation string       `json:"remediation"`
	Metadata    LintMetadata `json:"metadata"`
	CacheKey    string       `json:"cache_key" doc:"The same for the same finding."`
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

// LintsResponse is a list of lints where it is an object.
type LintsResponse struct {
	Lints []Lint `json:"lints"`
}

const (
	performance = "PERFORMANCE"
	security    = "SECURITY"
)

// lintKind is what is said of a lint whatever it is about. Names and ranks are upstream's (supabase/splinter); the guide that
// says how to mend it is found by the number.
type lintKind struct {
	level, category, title, description, guide string
}

const lintGuide = "https://supabase.com/docs/guides/database/database-linter?lint="

var lintKinds = map[string]lintKind{
	"unindexed_foreign_keys":       {"INFO", performance, "Foreign key without an index", "Without an index, what is looked up or deleted by a foreign key reads the whole table.", lintGuide + "0001_unindexed_foreign_keys"},
	"auth_users_exposed":           {"ERROR", security, "Users exposed by a view", "A view that the data API shows gives away rows of auth.users.", lintGuide + "0002_auth_users_exposed"},
	"auth_rls_initplan":            {"WARN", performance, "Policy evaluated anew for each row", "A function whose answer is the same for all rows is called for each of them.", lintGuide + "0003_auth_rls_initplan"},
	"no_primary_key":               {"INFO", performance, "Table without a primary key", "Without a primary key, rows cannot be told apart, and replication and large tables suffer.", lintGuide + "0004_no_primary_key"},
	"unused_index":                 {"INFO", performance, "Index that is not used", "An index that no query uses makes every write slower.", lintGuide + "0005_unused_index"},
	"multiple_permissive_policies": {"WARN", performance, "Several permissive policies", "Every permissive policy for a role and a command is evaluated: one that says it all is faster.", lintGuide + "0006_multiple_permissive_policies"},
	"policy_exists_rls_disabled":   {"ERROR", security, "Policies without row level security", "Policies do nothing until row level security is on.", lintGuide + "0007_policy_exists_rls_disabled"},
	"rls_enabled_no_policy":        {"INFO", security, "Row level security without a policy", "With row level security and no policy, the data API shows no row.", lintGuide + "0008_rls_enabled_no_policy"},
	"duplicate_index":              {"WARN", performance, "Indexes that are the same", "Two indexes that are the same cost twice and help once.", lintGuide + "0009_duplicate_index"},
	"security_definer_view":        {"ERROR", security, "View with its owner's rights", "A view that is not a security invoker's reads past the policies of whoever asks.", lintGuide + "0010_security_definer_view"},
	"function_search_path_mutable": {"WARN", security, "Function with a changeable search path", "What the names in a function mean should not be up to whoever calls it.", lintGuide + "0011_function_search_path_mutable"},
	"rls_disabled_in_public":       {"ERROR", security, "Table without row level security", "Whoever holds the anon key can use a table that the data API shows and that has no row level security.", lintGuide + "0013_rls_disabled_in_public"},
	"extension_in_public":          {"WARN", security, "Extension in the schema public", "An extension's functions in public are shown by the data API.", lintGuide + "0014_extension_in_public"},
	"rls_references_user_metadata": {"ERROR", security, "Policy by user metadata", "Users change their own metadata: a policy must not decide by it.", lintGuide + "0015_rls_references_user_metadata"},
	"materialized_view_in_api":     {"WARN", security, "Materialized view in the data API", "Row level security does not hold for materialized views.", lintGuide + "0016_materialized_view_in_api"},
	"foreign_table_in_api":         {"WARN", security, "Foreign table in the data API", "Row level security does not hold for foreign tables.", lintGuide + "0017_foreign_table_in_api"},
	"unsupported_reg_types":        {"WARN", security, "Column that stands in the way of an upgrade", "Postgres cannot be upgraded with columns of types that hold object ids.", lintGuide + "unsupported_reg_types"},

	"auth_otp_long_expiry":            {"WARN", security, "Codes by mail live long", "Whoever gets hold of an old mail signs in with it: an hour is enough.", "https://supabase.com/docs/guides/platform/going-into-prod#security"},
	"auth_leaked_password_protection": {"WARN", security, "Leaked passwords are let in", "Auth can refuse passwords that HaveIBeenPwned.org knows.", "https://supabase.com/docs/guides/auth/password-security#password-strength-and-leaked-password-protection"},
	"auth_insufficient_mfa_options":   {"WARN", security, "Few second factors", "Users can enrol one kind of second factor, or none.", "https://supabase.com/docs/guides/auth/auth-mfa"},
	"no_backup_admin":                 {"INFO", security, "One owner alone", "With one owner, nobody can stand in for them.", "https://supabase.com/docs/guides/platform/access-control"},
}

type lintNamePath struct {
	Ref  string `path:"ref"`
	Name string `path:"name" maxLength:"64"`
}

type v1SecurityInput struct {
	Ref      string `path:"ref"`
	LintType string `query:"lint_type" enum:"sql" doc:"What is found in the database alone."`
}

func (a *API) registerLints() {
	const platform, v1 = "/platform/projects/{ref}/run-lints", "/v1/projects/{ref}/advisors"
	permission := access.InProject(access.Read, "advisors")
	handle(a, route{
		method: http.MethodGet, path: platform, permission: permission, kind: Real, summary: "What the advisors have against the project",
	}, a.runLints)
	handle(a, route{
		method: http.MethodGet, path: platform + "/{name}", permission: permission, kind: Real, summary: "What one of the lints has against it",
	}, a.runLint)
	handle(a, route{
		method: http.MethodGet, path: platform + "/no-backup-admin", permission: permission, kind: Real, summary: "Whether the organization has one owner alone",
	}, a.runOwnersLint)
	same(a, platform+"/leaked-service-key", permission, "Keys that were found in public places: none is known", keysUnwatched, LintsResponse{[]Lint{}})
	handle(a, route{
		method: http.MethodGet, path: v1 + "/performance", permission: permission, kind: Real, summary: "What the performance advisor has against the project",
	}, a.v1PerformanceAdvisor)
	handle(a, route{
		method: http.MethodGet, path: v1 + "/security", permission: permission, kind: Real, summary: "What the security advisor has against the project",
	}, a.v1SecurityAdvisor)
	a.registerAdvisorExceptions()
}

func (a *API) runLints(ctx context.Context, c *call, _ *refPath) ([]Lint, error) {
	inDatabase, err := a.databaseLints(ctx, c)
	if err != nil {
		return nil, err
	}
	inAuth, err := a.authLints(ctx, c.project.Project)
	if err != nil {
		return nil, err
	}
	return a.withoutExceptions(ctx, c.project.Project, append(inDatabase, inAuth...))
}

func (a *API) runLint(ctx context.Context, c *call, in *lintNamePath) (LintsResponse, error) {
	if _, known := lintKinds[in.Name]; !known {
		return LintsResponse{}, problem.NotFound("There is no such lint.")
	}
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool { return l.Name == in.Name })}, err
}

func (a *API) v1PerformanceAdvisor(ctx context.Context, c *call, _ *refPath) (LintsResponse, error) {
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool { return l.Categories[0] == performance })}, err
}

func (a *API) v1SecurityAdvisor(ctx context.Context, c *call, in *v1SecurityInput) (LintsResponse, error) {
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool {
		return l.Categories[0] == security && (in.LintType == "" || l.Metadata.Type != "auth")
	})}, err
}

func (a *API) runOwnersLint(ctx context.Context, c *call, _ *refPath) (LintsResponse, error) {
	members, err := a.store.Members(ctx, c.project.OrganizationID)
	if err != nil {
		return LintsResponse{}, err
	}
	owners := 0
	for _, member := range members {
		if member.Role == store.RoleOwner {
			owners++
		}
	}
	found := []Lint{}
	if owners < 2 {
		found = append(found, lintOf("no_backup_admin", "", "The organization has one owner.", LintMetadata{Type: "compliance"}))
	}
	found, err = a.withoutExceptions(ctx, c.project.Project, found)
	return LintsResponse{found}, err
}

// only keeps the lints for which the condition holds.
func only(all []Lint, holds func(Lint) bool) []Lint {
	return slices.DeleteFunc(append([]Lint{}, all...), func(l Lint) bool { return !holds(l) })
}

// databaseLints looks into the project's own database, in its read-only role.
func (a *API) databaseLints(ctx context.Context, c *call) ([]Lint, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	settings, err := a.postgrestConfig(ctx, c.project.Project)
	if err != nil {
		return nil, err
	}
	var schemas []string
	for name := range strings.SplitSeq(settings.DBSchema, ",") {
		schemas = append(schemas, strings.TrimSpace(name))
	}
	found, err := database.Lint(ctx, schemas)
	if err != nil {
		return nil, databaseProblem(err)
	}
	lints := make([]Lint, len(found))
	for i, one := range found {
		metadata := LintMetadata{
			Name: one.Object, Schema: one.Schema, Type: one.Type, FkeyColumns: one.FkeyColumns,
		}
		if one.FkeyName != nil {
			metadata.FkeyName = *one.FkeyName
		}
		lints[i] = lintOf(one.Lint, strings.Trim(one.Schema+"_"+one.Object+"_"+one.Key, "_"), one.Detail, metadata)
	}
	return lints, nil
}

// authLints looks at Auth's settings, where the project has it.
func (a *API) authLints(ctx context.Context, p store.Project) ([]Lint, error) {
	if !slices.Contains(p.Services, authService) {
		return nil, nil
	}
	set, err := a.authSection(ctx, p)
	if err != nil {
		return nil, err
	}
	setting := func(name string) any {
		if value, known := set[name]; known {
			return value
		}
		return authSettingsByName[name].fallback
	}
	var lints []Lint
	add := func(name, detail string) {
		lints = append(lints, lintOf(name, "", detail, LintMetadata{Type: "auth", Entity: "Auth"}))
	}
	if seconds := setting("MAILER_OTP_EXP").(float64); setting("EXTERNAL_EMAIL_ENABLED") == true && seconds > 3600 {
		add("auth_otp_long_expiry", fmt.Sprintf("Links and codes by mail are good for %.0f seconds.", seconds))
	}
	if setting("EXTERNAL_EMAIL_ENABLED") == true && setting("PASSWORD_HIBP_ENABLED") != true {
		add("auth_leaked_password_protection", "Passwords are not compared with those that have leaked.")
	}
	factors := 0
	for _, name := range []string{"MFA_TOTP_ENROLL_ENABLED", "MFA_PHONE_ENROLL_ENABLED", "MFA_WEB_AUTHN_ENROLL_ENABLED"} {
		if setting(name) == true {
			factors++
		}
	}
	if factors < 2 {
		add("auth_insufficient_mfa_options", fmt.Sprintf("Users can enrol %d of the 3 kinds of second factors.", factors))
	}
	return lints, nil
}

func lintOf(name, key, detail string, metadata LintMetadata) Lint {
	kind := lintKinds[name]
	return Lint{
		Name: name, Title: kind.title, Level: kind.level, Facing: "EXTERNAL", Categories: []string{kind.category},
		Description: kind.description, Detail: detail, Remediation: kind.guide, Metadata: metadata,
		CacheKey: strings.Trim(name+"_"+key, "_"),
	}
}

// withoutExceptions leaves out what somebody decided to live with.
func (a *API) withoutExceptions(ctx context.Context, p store.Project, lints []Lint) ([]Lint, error) {
	exceptions, err := a.store.AdvisorExceptions(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return only(lints, func(l Lint) bool {
		return !slices.ContainsFunc(exceptions, func(e store.AdvisorException) bool { return e.Disabled && isAbout(e, l) })
	}), nil
}

// isAbout tells whether an exception is about a finding: what it does not name, it is about whatever it is.
func isAbout(e store.AdvisorException, l Lint) bool {
	if e.LintName != nil && *e.LintName != l.Name || e.Category != nil && !slices.Contains(l.Categories, *e.Category) {
		return false
	}
	metadata := map[string]any{}
	text, err := json.Marshal(l.Metadata)
	if err != nil || json.Unmarshal(text, &metadata) != nil {
		return false
	}
	for name, value := range e.Metadata {
		if fmt.Sprint(value) != fmt.Sprint(metadata[name]) {
			return false
		}
	}
	return cmp.Or(e.LintName, e.Category) != nil || len(e.Metadata) > 0
}
