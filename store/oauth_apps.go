package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// OAuthApp is an application that may ask members of organizations to act for them.
type OAuthApp struct {
	ID             uuid.UUID
	ClientID       uuid.UUID
	OrganizationID int64 // whose it is; 0 for one that registered itself
	Name           string
	Website        string
	Icon           *string
	RedirectURIs   []string
	Scopes         []string // the most that it may ask for
	// Public applications cannot keep a secret: they prove by PKCE alone that a code is their own.
	Public    bool
	CreatedBy *string // a GoTrue id; nil for one that registered itself, and when the profile is gone
	CreatedAt time.Time
}

// Dynamic tells whether the application registered itself (RFC 7591).
func (a OAuthApp) Dynamic() bool { return a.OrganizationID == 0 }

// WantedOAuthApp is what is decided when an application is made or changed. The caller has checked it.
type WantedOAuthApp struct {
	Name         string
	Website      string
	Icon         *string
	RedirectURIs []string
	Scopes       []string
	Public       bool
}

// NewOAuthApp is an application that was just made. Secret is its first client secret: it is shown once and never stored; empty for
// a public application.
type NewOAuthApp struct {
	OAuthApp
	Secret string
}

// OAuthSecret is a client secret of an application without the secret itself.
type OAuthSecret struct {
	ID         uuid.UUID
	AppID      uuid.UUID
	Alias      string // its first digits
	CreatedBy  *string
	CreatedAt  time.Time
	LastUsedAt *time.Time
}

// NewOAuthSecret is a client secret that was just made. Secret is shown once and never stored.
type NewOAuthSecret struct {
	OAuthSecret
	Secret string
}

// maxOAuthSecrets is how many client secrets an application may have, as Studio has it.
const maxOAuthSecrets = 5

// maxOAuthApps bounds what one organization keeps, and maxRegisteredApps what registered itself.
const (
	maxOAuthApps      = 100
	maxRegisteredApps = 10_000
)

const oauthAppColumns = `a.id, a.client_id, coalesce(a.organization_id, 0), a.name, a.website, a.icon, a.redirect_uris, a.scopes, a.public,
	(select p.gotrue_id::text from platform.profiles p where p.id = a.created_by), a.created_at`

const oauthSecretColumns = `c.id, c.app_id, c.alias, (select p.gotrue_id::text from platform.profiles p where p.id = c.created_by),
	c.created_at, c.last_used_at`

// OAuthApps lists an organization's own applications, the oldest first.
func (s *Store) OAuthApps(ctx context.Context, organizationID int64) ([]OAuthApp, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+oauthAppColumns+` from platform.oauth_apps a where a.organization_id = $1 order by a.created_at, a.id`, organizationID)
	apps, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OAuthApp])
	return apps, wrap("list the applications", err)
}

// OAuthAppByClientID finds an application by what it names itself by. ErrNotFound: there is none.
func (s *Store) OAuthAppByClientID(ctx context.Context, clientID uuid.UUID) (OAuthApp, error) {
	app, err := oauthAppWhere(ctx, s.pool, `a.client_id = $1`, clientID)
	return app, wrap("look the application up", err)
}

// CreateOAuthApp makes an application of an organization's, with its first client secret.
func (s *Store) CreateOAuthApp(ctx context.Context, actor Actor, organizationID int64, wanted WantedOAuthApp) (NewOAuthApp, error) {
	return write(ctx, s, actor, "make an application", func(ctx context.Context, tx pgx.Tx) (NewOAuthApp, AuditEntry, error) {
		if err := lockOrganization(ctx, tx, organizationID); err != nil {
			return NewOAuthApp{}, AuditEntry{}, err
		}
		if err := checkRoomFor(ctx, tx, maxOAuthApps, "An organization can have 100 applications.",
			`select count(*) from platform.oauth_apps where organization_id = $1`, organizationID); err != nil {
			return NewOAuthApp{}, AuditEntry{}, err
		}
		app, err := s.insertOAuthApp(ctx, tx, &organizationID, &actor.ProfileID, wanted)
		if err != nil {
			return NewOAuthApp{}, AuditEntry{}, err
		}
		secret, err := s.insertOAuthSecret(ctx, tx, app.ID, &actor.ProfileID)
		return NewOAuthApp{app, secret.Secret}, oauthEntry("oauth_apps.create", organizationID, app), err
	})
}

// RegisterOAuthApp makes an application that nobody owns (RFC 7591), and drops those that registered themselves and were never
// approved, or not for long.
func (s *Store) RegisterOAuthApp(ctx context.Context, wanted WantedOAuthApp) (NewOAuthApp, error) {
	var made NewOAuthApp
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			delete from platform.oauth_apps a where a.organization_id is null
				and a.updated_at < $1::timestamptz - case when a.updated_at = a.created_at then interval '1 day' else interval '90 days' end
				and not exists (select from platform.oauth_grants g where g.app_id = a.id)`, s.now())
		if err != nil {
			return fmt.Errorf("drop what is not used: %w", err)
		}
		if err := checkRoomFor(ctx, tx, maxRegisteredApps, "Too many applications have registered themselves. Try again tomorrow.",
			`select count(*) from platform.oauth_apps where organization_id is null`); err != nil {
			return err
		}
		if made.OAuthApp, err = s.insertOAuthApp(ctx, tx, nil, nil, wanted); err != nil || wanted.Public {
			return err
		}
		secret, err := s.insertOAuthSecret(ctx, tx, made.ID, nil)
		made.Secret = secret.Secret
		return err
	})
	return made, wrap("register an application", err)
}

func (s *Store) insertOAuthApp(ctx context.Context, tx pgx.Tx, organizationID, profileID *int64, wanted WantedOAuthApp) (OAuthApp, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return OAuthApp{}, fmt.Errorf("draw an id: %w", err)
	}
	clientID, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return OAuthApp{}, fmt.Errorf("draw a client's id: %w", err)
	}
	rows, _ := tx.Query(ctx, `
		insert into platform.oauth_apps as a
			(id, client_id, organization_id, name, website, icon, redirect_uris, scopes, public, created_by, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) returning `+oauthAppColumns,
		id, clientID, organizationID, wanted.Name, wanted.Website, wanted.Icon, wanted.RedirectURIs, wanted.Scopes, wanted.Public, profileID, s.now())
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[OAuthApp])
}

// UpdateOAuthApp changes an application of an organization's. What was granted to it stays as it was granted; what it may ask for
// next is bounded by its scopes of then. ErrNotFound: the organization has no such application.
func (s *Store) UpdateOAuthApp(ctx context.Context, actor Actor, organizationID int64, id uuid.UUID, wanted WantedOAuthApp) (OAuthApp, error) {
	return write(ctx, s, actor, "change the application", func(ctx context.Context, tx pgx.Tx) (OAuthApp, AuditEntry, error) {
		rows, _ := tx.Query(ctx, `
			update platform.oauth_apps a set name = $3, website = $4, icon = $5, redirect_uris = $6, scopes = $7, updated_at = $8
			where id = $1 and organization_id = $2 returning `+oauthAppColumns,
			id, organizationID, wanted.Name, wanted.Website, wanted.Icon, wanted.RedirectURIs, wanted.Scopes, s.now())
		app, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[OAuthApp])
		return app, oauthEntry("oauth_apps.update", organizationID, app), err
	})
}

// DeleteOAuthApp takes an application away, with everything that was granted to it anywhere. ErrNotFound: the organization has no such
// application.
func (s *Store) DeleteOAuthApp(ctx context.Context, actor Actor, organizationID int64, id uuid.UUID) (OAuthApp, error) {
	return write(ctx, s, actor, "delete the application", func(ctx context.Context, tx pgx.Tx) (OAuthApp, AuditEntry, error) {
		app, err := oauthAppWhere(ctx, tx, `a.id = $1 and a.organization_id = $2`, id, organizationID)
		if err != nil {
			return OAuthApp{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `delete from platform.oauth_apps where id = $1`, id)
		return app, oauthEntry("oauth_apps.delete", organizationID, app), err
	})
}

// OAuthSecrets lists an application's client secrets, the oldest first. ErrNotFound: the organization has no such application.
func (s *Store) OAuthSecrets(ctx context.Context, organizationID int64, appID uuid.UUID) ([]OAuthSecret, error) {
	if _, err := oauthAppWhere(ctx, s.pool, `a.id = $1 and a.organization_id = $2`, appID, organizationID); err != nil {
		return nil, wrap("look the application up", err)
	}
	rows, _ := s.pool.Query(ctx, `
		select `+oauthSecretColumns+` from platform.oauth_client_secrets c where c.app_id = $1 order by c.created_at, c.id`, appID)
	secrets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OAuthSecret])
	return secrets, wrap("list the client secrets", err)
}

// CreateOAuthSecret makes another client secret. ErrNotFound: the organization has no such application.
func (s *Store) CreateOAuthSecret(ctx context.Context, actor Actor, organizationID int64, appID uuid.UUID) (NewOAuthSecret, error) {
	return write(ctx, s, actor, "make a client secret", func(ctx context.Context, tx pgx.Tx) (NewOAuthSecret, AuditEntry, error) {
		app, err := lockOAuthApp(ctx, tx, organizationID, appID)
		if err != nil {
			return NewOAuthSecret{}, AuditEntry{}, err
		}
		if err := checkRoomFor(ctx, tx, maxOAuthSecrets, "An application can have 5 client secrets. Delete one first.",
			`select count(*) from platform.oauth_client_secrets where app_id = $1`, appID); err != nil {
			return NewOAuthSecret{}, AuditEntry{}, err
		}
		made, err := s.insertOAuthSecret(ctx, tx, appID, &actor.ProfileID)
		entry := oauthEntry("oauth_apps.client_secrets.create", organizationID, app)
		entry.Details["alias"] = made.Alias
		return made, entry, err
	})
}

func (s *Store) insertOAuthSecret(ctx context.Context, tx pgx.Tx, appID uuid.UUID, profileID *int64) (NewOAuthSecret, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return NewOAuthSecret{}, fmt.Errorf("draw an id: %w", err)
	}
	digits, err := newHex(s.random, 20)
	if err != nil {
		return NewOAuthSecret{}, err
	}
	secret := "sba_" + digits
	rows, _ := tx.Query(ctx, `
		insert into platform.oauth_client_secrets as c (id, app_id, digest, alias, created_by, created_at)
		values ($1, $2, $3, $4, $5, $6) returning `+oauthSecretColumns,
		id, appID, digestOf(secret), secret[:8], profileID, s.now())
	made, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[OAuthSecret])
	return NewOAuthSecret{made, secret}, err
}

// DeleteOAuthSecret takes a client secret away, but never the last one. ErrNotFound: there is no such secret.
func (s *Store) DeleteOAuthSecret(ctx context.Context, actor Actor, organizationID int64, appID, id uuid.UUID) error {
	_, err := write(ctx, s, actor, "delete the client secret", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		app, err := lockOAuthApp(ctx, tx, organizationID, appID)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		var alias string
		err = tx.QueryRow(ctx, `delete from platform.oauth_client_secrets where id = $1 and app_id = $2 returning alias`, id, appID).Scan(&alias)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		var left int
		if err := tx.QueryRow(ctx, `select count(*) from platform.oauth_client_secrets where app_id = $1`, appID).Scan(&left); err != nil {
			return struct{}{}, AuditEntry{}, fmt.Errorf("count the client secrets: %w", err)
		}
		if left == 0 {
			return struct{}{}, AuditEntry{}, &ConflictError{"The last client secret cannot be deleted. Make another one first."}
		}
		entry := oauthEntry("oauth_apps.client_secrets.delete", organizationID, app)
		entry.Details["alias"] = alias
		return struct{}{}, entry, nil
	})
	return err
}

// OAuthSecretIsGood tells whether a text is one of an application's client secrets, and notes its use.
func (s *Store) OAuthSecretIsGood(ctx context.Context, appID uuid.UUID, secret string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		update platform.oauth_client_secrets set last_used_at = $3 where app_id = $1 and digest = $2`, appID, digestOf(secret), s.now())
	return tag.RowsAffected() == 1, wrap("check the client secret", err)
}

func oauthAppWhere(ctx context.Context, q querier, condition string, arguments ...any) (OAuthApp, error) {
	rows, err := q.Query(ctx, `select `+oauthAppColumns+` from platform.oauth_apps a where `+condition, arguments...)
	if err != nil {
		return OAuthApp{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[OAuthApp])
}

// lockOAuthApp keeps two changes of one application's secrets apart.
func lockOAuthApp(ctx context.Context, tx pgx.Tx, organizationID int64, id uuid.UUID) (OAuthApp, error) {
	return oauthAppWhere(ctx, tx, `a.id = $1 and a.organization_id = $2 for update`, id, organizationID)
}

// checkRoomFor refuses what would be one too many.
func checkRoomFor(ctx context.Context, tx pgx.Tx, most int, refusal, count string, arguments ...any) error {
	var n int
	if err := tx.QueryRow(ctx, count, arguments...).Scan(&n); err != nil {
		return fmt.Errorf("count what is there: %w", err)
	}
	if n >= most {
		return &ConflictError{refusal}
	}
	return nil
}

func oauthEntry(action string, organizationID int64, app OAuthApp) AuditEntry {
	return AuditEntry{Action: action, OrganizationID: organizationID, Details: map[string]any{
		"app": app.Name, "client_id": app.ClientID, "scopes": app.Scopes,
	}}
}
