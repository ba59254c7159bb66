package store

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// auditLimit is the most rows that one look at the audit log gets.
const auditLimit = 1000

// AuditRow is a change that was made: what, by whom, from where, when.
type AuditRow struct {
	OccurredAt       time.Time
	Action           string         // `projects.create`
	ActorID          *string        // the GoTrue id; nil when the profile is gone
	ActorEmail       *string        // nil when the profile is gone
	Address          *netip.Addr    // nil where it was not known
	OrganizationSlug *Slug          // nil where no organization is concerned, or it is gone
	ProjectRef       *Ref           // nil where no project is concerned
	Details          map[string]any // what else is to be said; never a secret
}

// AuditSpan is a part of the audit log's time, From and To included.
type AuditSpan struct{ From, To time.Time }

// OrganizationAudit returns what was changed in an organization, the newest first, at most 1,000 rows.
func (s *Store) OrganizationAudit(ctx context.Context, organizationID int64, span AuditSpan) ([]AuditRow, error) {
	return s.auditWhere(ctx, "l.organization_id = $1", organizationID, span)
}

// ProfileAudit returns what a profile has changed, the newest first, at most 1,000 rows.
func (s *Store) ProfileAudit(ctx context.Context, profileID int64, span AuditSpan) ([]AuditRow, error) {
	return s.auditWhere(ctx, "l.profile_id = $1", profileID, span)
}

func (s *Store) auditWhere(ctx context.Context, condition string, id int64, span AuditSpan) ([]AuditRow, error) {
	rows, _ := s.pool.Query(ctx, `
		select l.occurred_at, l.action, p.gotrue_id::text, p.primary_email, l.address, o.slug, l.project_ref, l.details
		from platform.audit_log l
		left join platform.profiles p on p.id = l.profile_id
		left join platform.organizations o on o.id = l.organization_id
		where `+condition+` and l.occurred_at between $2 and $3
		order by l.occurred_at desc, l.id desc limit $4`, id, span.From, span.To, auditLimit)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditRow])
	return found, wrap("read the audit log", err)
}

// NoteLogin writes into the audit log that the actor signed in. Studio says so after a session has begun.
func (s *Store) NoteLogin(ctx context.Context, actor Actor) error {
	_, err := write(ctx, s, actor, "note the login", func(context.Context, pgx.Tx) (struct{}, AuditEntry, error) {
		return struct{}{}, AuditEntry{Action: "account.login"}, nil
	})
	return err
}

// audit writes the row of a change, in the change's own transaction.
func (s *Store) audit(ctx context.Context, tx pgx.Tx, actor Actor, entry AuditEntry) error {
	details := entry.Details
	if details == nil {
		details = map[string]any{}
	}
	_, err := tx.Exec(ctx, `
		insert into platform.audit_log
			(occurred_at, profile_id, organization_id, project_ref, action, address, request_id, details)
		values ($1, nullif($2, 0::bigint), nullif($3, 0::bigint), nullif($4, ''), $5, $6, $7, $8)`,
		s.now(), actor.ProfileID, entry.OrganizationID, string(entry.ProjectRef), entry.Action,
		nullableAddr(actor.Address), actor.RequestID, details)
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func nullableAddr(address netip.Addr) *netip.Addr {
	if !address.IsValid() {
		return nil
	}
	return &address
}
