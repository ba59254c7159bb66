package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Organization is a row of platform.organizations.
type Organization struct {
	ID                      int64
	Slug                    Slug
	Name                    string
	BillingEmail            *string
	AdditionalBillingEmails []string
	OptInTags               []string // what the members let Studio's assistant see
	MFARequired             bool     // sessions need a second factor
	CreatedAt               time.Time
}

// Membership is an organization as one of its members sees it.
type Membership struct {
	Organization
	Roles
}

const (
	organizationColumns = `o.id, o.slug, o.name, o.billing_email, o.additional_billing_emails, o.opt_in_tags, o.mfa_required, o.created_at`
	membershipColumns   = organizationColumns + `, ` + rolesColumns
)

// Memberships lists the organizations that a profile is a member of, by name.
func (s *Store) Memberships(ctx context.Context, profileID int64) ([]Membership, error) {
	if s.memory != nil {
		kept, err := s.keptMemberships(ctx, profileID)
		return slices.Clone(kept), err // the caller's own list
	}
	return s.readMemberships(ctx, profileID)
}

func (s *Store) readMemberships(ctx context.Context, profileID int64) ([]Membership, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+membershipColumns+`
		from platform.members m join platform.organizations o on o.id = m.organization_id
		where m.profile_id = $1 order by o.name, o.id`, profileID)
	memberships, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Membership])
	return memberships, wrap("list the organizations", err)
}

// MembershipBySlug returns what a profile is in an organization. ErrNotFound: no such organization, or not a member.
func (s *Store) MembershipBySlug(ctx context.Context, profileID int64, slug Slug) (Membership, error) {
	if s.memory != nil {
		return s.keptMembership(ctx, profileID, "look the organization up", func(m Membership) bool { return m.Slug == slug })
	}
	rows, _ := s.pool.Query(ctx, `
		select `+membershipColumns+`
		from platform.organizations o join platform.members m on m.organization_id = o.id
		where o.slug = $2 and m.profile_id = $1`, profileID, slug)
	membership, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Membership])
	return membership, wrap("look the organization up", err)
}

// CreateOrganization makes an organization with the actor as its owner.
func (s *Store) CreateOrganization(ctx context.Context, actor Actor, name string) (Membership, error) {
	return write(ctx, s, actor, "create the organization", func(ctx context.Context, tx pgx.Tx) (Membership, AuditEntry, error) {
		slug, err := newLetters(s.random, 20)
		if err != nil {
			return Membership{}, AuditEntry{}, err
		}
		rows, _ := tx.Query(ctx, `
			with o as (
				insert into platform.organizations (slug, name, billing_email, created_at, updated_at)
				select $2, $3, nullif(p.primary_email, ''), $4, $4 from platform.profiles p where p.id = $1
				returning *
			), m as (
				insert into platform.members (organization_id, profile_id, role, joined_at)
				select o.id, $1, $5, $4 from o returning *
			)
			select `+membershipColumns+` from o, m`,
			actor.ProfileID, slug, name, s.now(), RoleOwner)
		made, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Membership])
		if err != nil {
			return Membership{}, AuditEntry{}, err
		}
		entry := AuditEntry{Action: "organizations.create", OrganizationID: made.ID, Details: map[string]any{"name": name}}
		return made, entry, s.welcomeMember(ctx, tx, made.ID, actor.ProfileID)
	})
}

// OrganizationChange says what becomes of an organization. What is nil stays as it is.
type OrganizationChange struct {
	Name                    *string
	BillingEmail            *string
	AdditionalBillingEmails *[]string
	OptInTags               *[]string
	MFARequired             *bool
}

// details are what the audit log says of the change.
func (c OrganizationChange) details() map[string]any {
	details := map[string]any{}
	if c.Name != nil {
		details["name"] = *c.Name
	}
	if c.BillingEmail != nil {
		details["billing_email"] = *c.BillingEmail
	}
	if c.AdditionalBillingEmails != nil {
		details["additional_billing_emails"] = *c.AdditionalBillingEmails
	}
	if c.OptInTags != nil {
		details["opt_in_tags"] = *c.OptInTags
	}
	if c.MFARequired != nil {
		details["mfa_required"] = *c.MFARequired
	}
	return details
}

// UpdateOrganization changes an organization and returns what became of it. ErrNotFound: it is gone.
func (s *Store) UpdateOrganization(ctx context.Context, actor Actor, id int64, change OrganizationChange) (Organization, error) {
	return write(ctx, s, actor, "update the organization", func(ctx context.Context, tx pgx.Tx) (Organization, AuditEntry, error) {
		rows, _ := tx.Query(ctx, `
			update platform.organizations o set
				name = coalesce($2, name), billing_email = coalesce($3, billing_email),
				additional_billing_emails = coalesce($4, additional_billing_emails), opt_in_tags = coalesce($5, opt_in_tags),
				mfa_required = coalesce($6, mfa_required), updated_at = $7
			where id = $1 returning `+organizationColumns,
			id, change.Name, change.BillingEmail, change.AdditionalBillingEmails, change.OptInTags, change.MFARequired, s.now())
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Organization])
		return changed, AuditEntry{Action: "organizations.update", OrganizationID: id, Details: change.details()}, err
	})
}

// DeleteOrganization removes an organization that has no projects left.
func (s *Store) DeleteOrganization(ctx context.Context, actor Actor, id int64) error {
	_, err := write(ctx, s, actor, "delete the organization", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		var name string
		err := tx.QueryRow(ctx, `delete from platform.organizations where id = $1 returning name`, id).Scan(&name)
		if violates(err, "projects_organization_id_fkey") {
			return struct{}{}, AuditEntry{}, &ConflictError{"The organization still has projects. Delete them first."}
		}
		return struct{}{}, AuditEntry{Action: "organizations.delete", OrganizationID: id, Details: map[string]any{"name": name}}, err
	})
	return err
}
