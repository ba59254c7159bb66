package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ThirdPartyAuth is somebody else whose tokens a project's services take.
type ThirdPartyAuth struct {
	ID            uuid.UUID
	Type          string
	OIDCIssuerURL *string
	JWKSURL       *string
	CustomJWKS    json.RawMessage // as it was given; nil where a URL was
	ResolvedJWKS  json.RawMessage // the public keys that the services go by; nil until they were got
	ResolvedAt    *time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

const thirdPartyColumns = `t.id, t.type, t.oidc_issuer_url, t.jwks_url, t.custom_jwks, t.resolved_jwks, t.resolved_at, t.created_at, t.updated_at`

// ThirdPartyAuths lists whose tokens a project takes, oldest first.
func (s *Store) ThirdPartyAuths(ctx context.Context, projectID int64) ([]ThirdPartyAuth, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+thirdPartyColumns+` from platform.third_party_auth t where t.project_id = $1 order by t.created_at, t.id`, projectID)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ThirdPartyAuth])
	return found, wrap("list the third-party authentication", err)
}

// CreateThirdPartyAuth lets a project take the tokens of wanted, of which ID and times are not looked at.
func (s *Store) CreateThirdPartyAuth(ctx context.Context, actor Actor, ref Ref, wanted ThirdPartyAuth) (ThirdPartyAuth, error) {
	return s.changeThirdParty(ctx, actor, ref, "create", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		id, err := uuid.NewRandomFromReader(s.random)
		if err != nil {
			return nil, err
		}
		return tx.Query(ctx, `
			insert into platform.third_party_auth as t (id, project_id, type, oidc_issuer_url, jwks_url, custom_jwks, resolved_jwks,
				resolved_at, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8) returning `+thirdPartyColumns,
			id, project.ID, wanted.Type, wanted.OIDCIssuerURL, wanted.JWKSURL, wanted.CustomJWKS, wanted.ResolvedJWKS, s.now())
	})
}

// DeleteThirdPartyAuth takes it back. ErrNotFound: the project has no such.
func (s *Store) DeleteThirdPartyAuth(ctx context.Context, actor Actor, ref Ref, id uuid.UUID) (ThirdPartyAuth, error) {
	return s.changeThirdParty(ctx, actor, ref, "delete", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		return tx.Query(ctx, `
			delete from platform.third_party_auth t where t.project_id = $1 and t.id = $2 returning `+thirdPartyColumns, project.ID, id)
	})
}

// TakeDueThirdPartyAuth returns one whose keys nobody asked for since a moment, and notes that somebody does now. ErrNotFound: none
// is due. Keys that were given, and have no address, never are.
func (s *Store) TakeDueThirdPartyAuth(ctx context.Context, since time.Time) (ThirdPartyAuth, error) {
	rows, _ := s.pool.Query(ctx, `
		update platform.third_party_auth t set asked_at = $2 where t.id = (
			select id from platform.third_party_auth
			where custom_jwks is null and coalesce(asked_at, resolved_at, created_at) < $1
			order by coalesce(asked_at, resolved_at, created_at) limit 1 for update skip locked
		) returning `+thirdPartyColumns, since, s.now())
	due, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ThirdPartyAuth])
	return due, wrap("look for third-party keys to renew", err)
}

// RenewThirdPartyAuth keeps the keys that were got anew. Where they are others than before, the project's services take them up at
// once. ErrNotFound: it was taken back in the meantime.
func (s *Store) RenewThirdPartyAuth(ctx context.Context, id uuid.UUID, keys json.RawMessage) error {
	actor := Actor{RequestID: "keys"}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var ref Ref
		err := tx.QueryRow(ctx, `
			select p.ref from platform.third_party_auth t join platform.projects p on p.id = t.project_id where t.id = $1`, id).Scan(&ref)
		if err != nil {
			return err
		}
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return err
		}
		var same bool
		err = tx.QueryRow(ctx, `
			with before as (select resolved_jwks from platform.third_party_auth where id = $1)
			update platform.third_party_auth t set resolved_jwks = $2, resolved_at = $3 where t.id = $1
			returning coalesce(t.resolved_jwks = (select resolved_jwks from before), false)`, id, keys, s.now()).Scan(&same)
		if err != nil || same {
			return err
		}
		if _, err := s.takeUp(ctx, tx, actor, project, OperationConfigure); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, AuditEntry{
			Action: "third_party_auth.renew", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"id": id},
		})
	})
	return wrap("renew third-party keys", err)
}

// changeThirdParty is write for what the project's services verify tokens with; they take it up at once.
func (s *Store) changeThirdParty(ctx context.Context, actor Actor, ref Ref, what string, change func(pgx.Tx, Project) (pgx.Rows, error)) (ThirdPartyAuth, error) {
	return write(ctx, s, actor, what+" the third-party authentication", func(ctx context.Context, tx pgx.Tx) (ThirdPartyAuth, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return ThirdPartyAuth{}, AuditEntry{}, err
		}
		rows, err := change(tx, project)
		if err != nil {
			return ThirdPartyAuth{}, AuditEntry{}, err
		}
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ThirdPartyAuth])
		if err != nil {
			return ThirdPartyAuth{}, AuditEntry{}, err
		}
		entry := AuditEntry{
			Action: "third_party_auth." + what, OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"id": changed.ID, "type": changed.Type},
		}
		_, err = s.takeUp(ctx, tx, actor, project, OperationConfigure)
		return changed, entry, err
	})
}
