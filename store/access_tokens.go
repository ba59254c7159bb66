package store

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
)

// AccessToken is a personal access token without its secret.
type AccessToken struct {
	ID         int64
	Name       string
	Alias      string // the first and last digits, `sbp_1234…cdef`
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
}

// NewAccessToken is a token that was just made. Token is its secret: it is shown once and never stored.
type NewAccessToken struct {
	AccessToken
	Token string
}

// accessTokenPattern is the form that the supabase CLI demands of a token, a person's or an application's.
var accessTokenPattern = regexp.MustCompile(`^sbp_(oauth_)?[a-f0-9]{40}$`)

// oauthTokenPrefix begins the access tokens of applications.
const oauthTokenPrefix = "sbp_oauth_"

// IsAccessToken tells whether a bearer token has the form of an access token, a person's or an application's.
func IsAccessToken(token string) bool { return accessTokenPattern.MatchString(token) }

const accessTokenColumns = `t.id, t.name, t.alias, t.created_at, t.expires_at, t.last_used_at`

// lastUsedResolution spares a write for every request: last_used_at is right to this.
const lastUsedResolution = time.Minute

// TokenOwner is who a token stands for, and how far.
type TokenOwner struct {
	Profile
	Limits *TokenLimits // nil for a token without scopes
}

// ProfileByAccessToken returns the owner of a token that has not expired, and notes its use.
// ErrNotFound: no such token, or it has expired or was revoked.
func (s *Store) ProfileByAccessToken(ctx context.Context, token string) (TokenOwner, error) {
	if s.memory != nil {
		return s.keptTokenOwner(ctx, token)
	}
	owner, err := s.tokenOwner(ctx, token)
	return owner.TokenOwner, err
}

func (s *Store) tokenOwner(ctx context.Context, token string) (keptOwner, error) {
	now := s.now()
	// The update runs for a row that was not touched lately; the select answers in any case, in the same round trip.
	rows, _ := s.pool.Query(ctx, `
		with used as (
			update platform.access_tokens set last_used_at = $2
			where digest = $1 and (expires_at is null or expires_at > $2) and (last_used_at is null or last_used_at < $3)
		)
		select `+profileColumns+`, case when t.scopes is not null then
			jsonb_build_object('scopes', t.scopes, 'organization_ids', t.organization_ids, 'project_ids', t.project_ids) end, t.expires_at
		from platform.access_tokens t join platform.profiles p on p.id = t.profile_id
		where t.digest = $1 and (t.expires_at is null or t.expires_at > $2)`,
		digestOf(token), now, now.Add(-lastUsedResolution))
	owner, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[keptOwner])
	return owner, wrap("look the access token up", err)
}

// AccessTokens lists a profile's tokens without scopes, newest first.
func (s *Store) AccessTokens(ctx context.Context, profileID int64) ([]AccessToken, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+accessTokenColumns+` from platform.access_tokens t where t.profile_id = $1 and t.scopes is null order by t.id desc`, profileID)
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AccessToken])
	return tokens, wrap("list the access tokens", err)
}

// AccessToken returns one of a profile's tokens without scopes. ErrNotFound: the profile has no such token.
func (s *Store) AccessToken(ctx context.Context, profileID, id int64) (AccessToken, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+accessTokenColumns+` from platform.access_tokens t where t.profile_id = $1 and t.id = $2 and t.scopes is null`, profileID, id)
	token, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[AccessToken])
	return token, wrap("look the access token up", err)
}

// CreateAccessToken makes a token for the actor. expiresAt is nil for one that does not expire.
func (s *Store) CreateAccessToken(ctx context.Context, actor Actor, name string, expiresAt *time.Time) (NewAccessToken, error) {
	return write(ctx, s, actor, "make an access token", func(ctx context.Context, tx pgx.Tx) (NewAccessToken, AuditEntry, error) {
		made, err := s.insertAccessToken(ctx, tx, actor, name, expiresAt)
		return made, AuditEntry{Action: "access_tokens.create", Details: map[string]any{"name": name, "alias": made.Alias}}, err
	})
}

func (s *Store) insertAccessToken(ctx context.Context, tx pgx.Tx, actor Actor, name string, expiresAt *time.Time) (NewAccessToken, error) {
	digits, err := newHex(s.random, 20)
	if err != nil {
		return NewAccessToken{}, err
	}
	token := "sbp_" + digits
	alias := fmt.Sprintf("sbp_%s…%s", digits[:4], digits[len(digits)-4:])
	rows, _ := tx.Query(ctx, `
		insert into platform.access_tokens as t (profile_id, name, digest, alias, created_at, expires_at)
		values ($1, $2, $3, $4, $5, $6) returning `+accessTokenColumns,
		actor.ProfileID, name, digestOf(token), alias, s.now(), expiresAt)
	made, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[AccessToken])
	return NewAccessToken{AccessToken: made, Token: token}, err
}

// DeleteAccessToken revokes one of the actor's own tokens, with scopes or without, and returns what it was. Those of applications end
// with what was granted to them. ErrNotFound: the actor has no such token.
func (s *Store) DeleteAccessToken(ctx context.Context, actor Actor, id int64) (AccessToken, error) {
	return write(ctx, s, actor, "revoke an access token", func(ctx context.Context, tx pgx.Tx) (AccessToken, AuditEntry, error) {
		rows, _ := tx.Query(ctx, `
			delete from platform.access_tokens t where t.profile_id = $1 and t.id = $2 and t.oauth_grant_id is null returning `+accessTokenColumns,
			actor.ProfileID, id)
		gone, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[AccessToken])
		if err != nil {
			return AccessToken{}, AuditEntry{}, err
		}
		entry := AuditEntry{Action: "access_tokens.delete", Details: map[string]any{"name": gone.Name, "alias": gone.Alias}}
		return gone, entry, nil
	})
}
