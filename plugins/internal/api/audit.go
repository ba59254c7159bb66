package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// AuditLogsResponse is a part of the audit log, the newest first.
type AuditLogsResponse struct {
	Result          []AuditLog `json:"result"`
	RetentionPeriod int        `json:"retention_period" doc:"Days that can be looked back: to the beginning, for nothing is thrown away."`
}

// AuditLog is a change that was made, in the shape that Studio reads (data/organizations/organization-audit-logs-query.ts).
type AuditLog struct {
	Action     AuditAction `json:"action"`
	Actor      AuditActor  `json:"actor"`
	Target     AuditTarget `json:"target"`
	OccurredAt time.Time   `json:"occurred_at"`
}

// AuditAction is what was done.
type AuditAction struct {
	Name     string           `json:"name"`
	Metadata []map[string]any `json:"metadata"`
}

// AuditActor is who did it.
type AuditActor struct {
	ID       string               `json:"id" doc:"The GoTrue id; empty when the person is gone."`
	Type     string               `json:"type"`
	Metadata []AuditActorMetadata `json:"metadata"`
}

// AuditActorMetadata says more of who did it.
type AuditActorMetadata struct {
	Email string `json:"email,omitempty"`
	IP    string `json:"ip,omitempty"`
}

// AuditTarget is what it was done to.
type AuditTarget struct {
	Description string              `json:"description"`
	Metadata    AuditTargetMetadata `json:"metadata"`
}

// AuditTargetMetadata names what it was done to.
type AuditTargetMetadata struct {
	OrgSlug    *store.Slug `json:"org_slug,omitempty"`
	ProjectRef *store.Ref  `json:"project_ref,omitempty"`
}

// AuditSpan is the part of the time that is asked for.
type AuditSpan struct {
	Start time.Time `query:"iso_timestamp_start" required:"true"`
	End   time.Time `query:"iso_timestamp_end" required:"true"`
}

type organizationAuditInput struct {
	SlugPath
	AuditSpan
}

func (a *API) registerAudit() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}/audit",
		permission: access.InOrganization(access.Read, "notifications"), // what Studio asks about before it shows the page
		kind:       Real, summary: "What was changed in the organization",
	}, a.organizationAudit)
	handle(a, route{
		method: http.MethodGet, path: "/platform/profile/audit", permission: access.SignedIn(),
		kind: Real, summary: "What you have changed",
	}, a.profileAudit)
	act(a, route{
		method: http.MethodPost, path: "/platform/profile/audit-login", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Note that you signed in",
	}, a.auditLogin)
}

func (a *API) organizationAudit(ctx context.Context, c *call, in *organizationAuditInput) (AuditLogsResponse, error) {
	rows, err := a.store.OrganizationAudit(ctx, c.membership.ID, store.AuditSpan{From: in.Start, To: in.End})
	return a.auditLogsOf(rows, c.membership.CreatedAt), err
}

func (a *API) profileAudit(ctx context.Context, c *call, in *AuditSpan) (AuditLogsResponse, error) {
	rows, err := a.store.ProfileAudit(ctx, c.Profile.ID, store.AuditSpan{From: in.Start, To: in.End})
	return a.auditLogsOf(rows, c.Profile.CreatedAt), err
}

func (a *API) auditLogin(ctx context.Context, c *call, _ *none) error {
	if c.AccessToken {
		return problem.BadRequest("An access token does not sign in.")
	}
	return a.store.NoteLogin(ctx, c.actor)
}

func (a *API) auditLogsOf(rows []store.AuditRow, since time.Time) AuditLogsResponse {
	const day = 24 * time.Hour
	answer := AuditLogsResponse{Result: make([]AuditLog, len(rows)), RetentionPeriod: int(a.now().Sub(since)/day) + 1}
	for i, row := range rows {
		answer.Result[i] = auditLogOf(row)
	}
	return answer
}

func auditLogOf(row store.AuditRow) AuditLog {
	target := AuditTarget{Description: "account", Metadata: AuditTargetMetadata{row.OrganizationSlug, row.ProjectRef}}
	switch {
	case row.ProjectRef != nil:
		target.Description = "project " + string(*row.ProjectRef)
	case row.OrganizationSlug != nil:
		target.Description = "organization " + string(*row.OrganizationSlug)
	}
	actor := AuditActor{Type: "user"}
	var who AuditActorMetadata
	if row.ActorID != nil {
		actor.ID, who.Email = *row.ActorID, *row.ActorEmail
	}
	if row.Address != nil {
		who.IP = row.Address.String()
	}
	actor.Metadata = []AuditActorMetadata{who}
	return AuditLog{
		Action: AuditAction{Name: row.Action, Metadata: []map[string]any{row.Details}},
		Actor:  actor, Target: target, OccurredAt: row.OccurredAt,
	}
}
