package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// SSOSettings describe the identity provider of an organization. They are kept for the day on which the platform's GoTrue
// signs people in by it; until then they are in force nowhere.
type SSOSettings struct {
	Domains          []string `json:"domains"`
	MetadataURL      *string  `json:"metadata_url,omitempty"`
	MetadataXML      *string  `json:"metadata_xml,omitempty"`
	EmailMapping     []string `json:"email_mapping"`
	UserNameMapping  []string `json:"user_name_mapping"`
	FirstNameMapping []string `json:"first_name_mapping"`
	LastNameMapping  []string `json:"last_name_mapping"`
	JoinOnSignUp     bool     `json:"join_on_sign_up"`
	JoinRole         *string  `json:"join_role,omitempty"`
}

// OrganizationSSO returns an organization's settings. ErrNotFound: it has none.
func (s *Store) OrganizationSSO(ctx context.Context, organizationID int64) (SSOSettings, error) {
	var settings SSOSettings
	err := s.pool.QueryRow(ctx, `select settings from platform.organization_sso where organization_id = $1`, organizationID).Scan(&settings)
	return settings, wrap("read the single sign-on settings", err)
}

// CreateOrganizationSSO keeps settings for an organization that has none. A ConflictError says that it has.
func (s *Store) CreateOrganizationSSO(ctx context.Context, actor Actor, organizationID int64, settings SSOSettings) error {
	return s.writeSSO(ctx, actor, organizationID, "create", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into platform.organization_sso (organization_id, settings, updated_at) values ($1, $2, $3)`,
			organizationID, settings, s.now())
		if violates(err, "organization_sso_pkey") {
			return &ConflictError{"The organization has single sign-on settings already. Change those."}
		}
		return err
	})
}

// UpdateOrganizationSSO replaces an organization's settings. ErrNotFound: it has none.
func (s *Store) UpdateOrganizationSSO(ctx context.Context, actor Actor, organizationID int64, settings SSOSettings) error {
	return s.writeSSO(ctx, actor, organizationID, "update", func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update platform.organization_sso set settings = $2, updated_at = $3 where organization_id = $1`,
			organizationID, settings, s.now())
		return foundOne(tag.RowsAffected(), err)
	})
}

// DeleteOrganizationSSO forgets an organization's settings. ErrNotFound: it has none.
func (s *Store) DeleteOrganizationSSO(ctx context.Context, actor Actor, organizationID int64) error {
	return s.writeSSO(ctx, actor, organizationID, "delete", func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from platform.organization_sso where organization_id = $1`, organizationID)
		return foundOne(tag.RowsAffected(), err)
	})
}

func (s *Store) writeSSO(ctx context.Context, actor Actor, organizationID int64, verb string, do func(context.Context, pgx.Tx) error) error {
	_, err := write(ctx, s, actor, verb+" the single sign-on settings", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		return struct{}{}, AuditEntry{Action: "organizations.sso." + verb, OrganizationID: organizationID}, do(ctx, tx)
	})
	return err
}

func foundOne(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}
