package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// invitationLifetime is upstream's: 24 hours.
const invitationLifetime = 24 * time.Hour

// Invitation asks somebody into an organization. Whoever has accepted or declined it finds it gone.
type Invitation struct {
	OrganizationID   int64
	OrganizationName string
	MFARequired      bool
	Email            string // in small letters
	InvitedAt        time.Time
	ExpiresAt        time.Time
	Roles            // what the invited will be; the number is the invitation's own
}

// NewInvitation is an invitation that was just made. Token is its secret: it goes to the invited and is never stored.
type NewInvitation struct {
	Invitation
	Token string
}

const invitationColumns = `i.organization_id, o.name, o.mfa_required, i.email, i.invited_at, i.expires_at, i.id,
	case when i.scoped then 0 else i.role end, coalesce((
		select jsonb_agg(jsonb_build_object('project_id', p.id, 'ref', p.ref, 'name', p.name, 'role', i.role) order by p.name, p.id)
		from platform.invitation_projects ip join platform.projects p on p.id = ip.project_id
		where ip.invitation_id = i.id), '[]')`

const invitationTables = `platform.invitations i join platform.organizations o on o.id = i.organization_id`

// Invitations lists an organization's open invitations, expired ones too, the oldest first.
func (s *Store) Invitations(ctx context.Context, organizationID int64) ([]Invitation, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+invitationColumns+` from `+invitationTables+`
		where i.organization_id = $1 order by i.invited_at, i.id`, organizationID)
	invitations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Invitation])
	return invitations, wrap("list the invitations", err)
}

// InvitationByToken finds the invitation to an organization that a token was made for, whether it has expired or not.
// ErrNotFound: there is none, or none any more.
func (s *Store) InvitationByToken(ctx context.Context, slug Slug, token string) (Invitation, error) {
	invitation, err := invitationWhere(ctx, s.pool, `i.digest = $1 and o.slug = $2`, digestOf(token), slug)
	return invitation, wrap("look the invitation up", err)
}

// InvitationChange says which organization's invitations are changed, and by whose right.
type InvitationChange struct {
	Actor          Actor
	OrganizationID int64
	// Permit decides whether the actor may take back and hand out invitations to these base roles.
	Permit func(taken, given []Role) error
}

// Invite makes an invitation, in the place of an earlier one to the same address. Without refs it is to a role in the
// whole organization. A ConflictError says that somebody with this address is a member. ErrNotFound: no such project.
func (s *Store) Invite(ctx context.Context, change InvitationChange, email string, role Role, refs []Ref) (NewInvitation, error) {
	return write(ctx, s, change.Actor, "invite", func(ctx context.Context, tx pgx.Tx) (NewInvitation, AuditEntry, error) {
		email = strings.ToLower(email)
		if err := s.checkInvited(ctx, tx, change, email, role); err != nil {
			return NewInvitation{}, AuditEntry{}, err
		}
		projects, err := projectsByRef(ctx, tx, change.OrganizationID, refs)
		if err != nil {
			return NewInvitation{}, AuditEntry{}, err
		}
		token, err := newHex(s.random, 20)
		if err != nil {
			return NewInvitation{}, AuditEntry{}, err
		}
		if err := s.insertInvitation(ctx, tx, change.OrganizationID, email, role, projects, token); err != nil {
			return NewInvitation{}, AuditEntry{}, err
		}
		made, err := invitationWhere(ctx, tx, `i.digest = $1`, digestOf(token))
		return NewInvitation{made, token}, invitationEntry("invitations.create", made), err
	})
}

// checkInvited refuses to invite members, and takes an earlier invitation back.
func (s *Store) checkInvited(ctx context.Context, tx pgx.Tx, change InvitationChange, email string, role Role) error {
	if err := lockOrganization(ctx, tx, change.OrganizationID); err != nil {
		return err
	}
	var member bool
	err := tx.QueryRow(ctx, `
		select exists (
			select from platform.members m join platform.profiles p on p.id = m.profile_id
			where m.organization_id = $1 and lower(p.primary_email) = $2
		)`, change.OrganizationID, email).Scan(&member)
	if err != nil {
		return fmt.Errorf("look for a member: %w", err)
	}
	if member {
		return &ConflictError{"Somebody with this e-mail address is a member already."}
	}
	earlier, err := invitationWhere(ctx, tx, `i.organization_id = $1 and i.email = $2`, change.OrganizationID, email)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("look for an earlier invitation: %w", err)
	}
	if err := change.Permit(earlier.beyond(Roles{}), []Role{role}); err != nil {
		return err
	}
	return deleteInvitation(ctx, tx, earlier.Number)
}

func (s *Store) insertInvitation(ctx context.Context, tx pgx.Tx, organizationID int64, email string, role Role, projects []ProjectRole, token string) error {
	var id int64
	err := tx.QueryRow(ctx, `
		insert into platform.invitations (organization_id, email, role, scoped, digest, invited_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7) returning id`,
		organizationID, email, role, len(projects) > 0, digestOf(token), s.now(), s.now().Add(invitationLifetime)).Scan(&id)
	if err != nil {
		return fmt.Errorf("keep the invitation: %w", err)
	}
	for _, project := range projects {
		_, err := tx.Exec(ctx, `insert into platform.invitation_projects (invitation_id, project_id) values ($1, $2)`, id, project.ProjectID)
		if err != nil {
			return fmt.Errorf("keep the invitation to %s: %w", project.Ref, err)
		}
	}
	return nil
}

// RevokeInvitation takes an invitation back. ErrNotFound: the organization has none with this id.
func (s *Store) RevokeInvitation(ctx context.Context, change InvitationChange, id int64) error {
	_, err := write(ctx, s, change.Actor, "revoke the invitation", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		if err := lockOrganization(ctx, tx, change.OrganizationID); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		gone, err := invitationWhere(ctx, tx, `i.id = $1 and i.organization_id = $2`, id, change.OrganizationID)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if err := change.Permit(gone.beyond(Roles{}), nil); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		return struct{}{}, invitationEntry("invitations.revoke", gone), deleteInvitation(ctx, tx, id)
	})
	return err
}

// AcceptInvitation makes the actor a member. The caller has checked that the invitation is to the actor; that it is still
// good is checked here. ErrNotFound: it is not.
func (s *Store) AcceptInvitation(ctx context.Context, actor Actor, slug Slug, token string) error {
	return s.answerInvitation(ctx, actor, slug, token, "accept", func(ctx context.Context, tx pgx.Tx, invitation Invitation) error {
		if len(invitation.IDs()) == 0 {
			return &ConflictError{"The projects that this invitation is to are gone."}
		}
		tag, err := tx.Exec(ctx, `
			insert into platform.members (organization_id, profile_id, role, joined_at)
			values ($1, $2, nullif($3::smallint, 0), $4) on conflict do nothing`,
			invitation.OrganizationID, actor.ProfileID, invitation.Role, s.now())
		if err != nil {
			return fmt.Errorf("make the member: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return &ConflictError{"You are a member of this organization already."}
		}
		if err := insertProjectRoles(ctx, tx, invitation.OrganizationID, actor.ProfileID, invitation.ProjectRoles); err != nil {
			return err
		}
		return s.welcomeMember(ctx, tx, invitation.OrganizationID, actor.ProfileID)
	})
}

// DeclineInvitation ends an invitation by the wish of the invited. ErrNotFound: it is not good any more.
func (s *Store) DeclineInvitation(ctx context.Context, actor Actor, slug Slug, token string) error {
	return s.answerInvitation(ctx, actor, slug, token, "decline", func(context.Context, pgx.Tx, Invitation) error { return nil })
}

// answerInvitation does what the answer is, and ends the invitation, so that it is answered once.
func (s *Store) answerInvitation(ctx context.Context, actor Actor, slug Slug, token, answer string, do func(context.Context, pgx.Tx, Invitation) error) error {
	_, err := write(ctx, s, actor, answer+" the invitation", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		found, err := invitationWhere(ctx, tx, `i.digest = $1 and o.slug = $2 and i.expires_at > $3`, digestOf(token), slug, s.now())
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if err := lockOrganization(ctx, tx, found.OrganizationID); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		// Whoever held the lock before may have ended the invitation.
		invitation, err := invitationWhere(ctx, tx, `i.id = $1`, found.Number)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if err := do(ctx, tx, invitation); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		return struct{}{}, invitationEntry("invitations."+answer, invitation), deleteInvitation(ctx, tx, invitation.Number)
	})
	return err
}

func invitationWhere(ctx context.Context, q querier, condition string, arguments ...any) (Invitation, error) {
	rows, err := q.Query(ctx, `select `+invitationColumns+` from `+invitationTables+` where `+condition, arguments...)
	if err != nil {
		return Invitation{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Invitation])
}

func deleteInvitation(ctx context.Context, tx pgx.Tx, id int64) error {
	if _, err := tx.Exec(ctx, `delete from platform.invitations where id = $1`, id); err != nil {
		return fmt.Errorf("end the invitation: %w", err)
	}
	return nil
}

func invitationEntry(action string, i Invitation) AuditEntry {
	return AuditEntry{Action: action, OrganizationID: i.OrganizationID, Details: map[string]any{
		"email": i.Email, "roles": i.IDs(),
	}}
}

func digestOf(secret string) []byte {
	digest := sha256.Sum256([]byte(secret))
	return digest[:]
}
