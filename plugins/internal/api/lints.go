package api

import (
	"context"
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
	Name        string                 `json:"name"`
	Title       string                 `json:"title"`
	Level       string                 `json:"level" enum:"ERROR,WARN,INFO"`
	Facing      string                 `json:"facing" enum:"EXTERNAL"`
	Categories  []string               `json:"categories" enum:"PERFORMANCE,SECURITY"`
	Description string                 `json:"description"`
	Detail      string                 `json:"detail"`
	Remediation string                 `json:"remediation"`
	Metadata    projectdb.LintMetadata `json:"metadata"`
	CacheKey    string                 `json:"cache_key" doc:"The same for the same finding."`
}

// LintsResponse is a list of lints where it is an object.
type LintsResponse struct {
	Lints []Lint `json:"lints"`
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
	if _, known := projectdb.LintKinds[in.Name]; !known {
		return LintsResponse{}, problem.NotFound("There is no such lint.")
	}
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool { return l.Name == in.Name })}, err
}

func (a *API) v1PerformanceAdvisor(ctx context.Context, c *call, _ *refPath) (LintsResponse, error) {
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool { return l.Categories[0] == projectdb.Performance })}, err
}

func (a *API) v1SecurityAdvisor(ctx context.Context, c *call, in *v1SecurityInput) (LintsResponse, error) {
	all, err := a.runLints(ctx, c, nil)
	return LintsResponse{only(all, func(l Lint) bool {
		return l.Categories[0] == projectdb.Security && (in.LintType == "" || l.Metadata.Type != "auth")
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
		found = append(found, lintOf("no_backup_admin", "no_backup_admin", "The organization has one owner.", projectdb.LintMetadata{Type: "compliance"}))
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
		lints[i] = lintOf(one.Lint, one.CacheKey(), one.Detail, one.Metadata())
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
		lints = append(lints, lintOf(name, name, detail, projectdb.LintMetadata{Type: "auth", Entity: "Auth"}))
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

func lintOf(name, key, detail string, metadata projectdb.LintMetadata) Lint {
	kind := projectdb.LintKinds[name]
	return Lint{
		Name: name, Title: kind.Title, Level: kind.Level, Facing: "EXTERNAL", Categories: []string{kind.Category},
		Description: kind.Description, Detail: detail, Remediation: kind.Guide, Metadata: metadata,
		CacheKey: key,
	}
}

// withoutExceptions leaves out what somebody decided to live with.
func (a *API) withoutExceptions(ctx context.Context, p store.Project, lints []Lint) ([]Lint, error) {
	exceptions, err := a.store.AdvisorExceptions(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return only(lints, func(l Lint) bool {
		return !slices.ContainsFunc(exceptions, func(e store.AdvisorException) bool {
			return e.Disabled && e.IsAbout(l.Name, l.Categories[0], l.Metadata)
		})
	}), nil
}
