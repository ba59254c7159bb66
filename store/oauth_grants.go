package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// oauthRequestLifetime is for how long a request waits for somebody to decide it.
	oauthRequestLifetime = 30 * time.Minute
	// oauthCodeLifetime is for how long a code is good. RFC 6749, section 4.1.2, demands ten minutes at most.
	oauthCodeLifetime = 5 * time.Minute
	// OAuthTokenLifetime is for how long an access token of an application's is good.
	OAuthTokenLifetime = time.Hour
	// oauthRefreshLifetime is for how long a refresh token is good that is not used.
	oauthRefreshLifetime = 30 * 24 * time.Hour
	// oauthReuseInterval is for how long a refresh token that was used may be used once more: an answer may be lost on its way, and a
	// client may refresh twice at once.
	oauthReuseInterval = 10 * time.Second
)

// OAuthRequest is what an application asks for. Until somebody decides it, it is kept by nobody but the one who was sent to decide it.
type OAuthRequest struct {
	ID            uuid.UUID `json:"id"`
	AppID         uuid.UUID `json:"app"`
	RedirectURI   string    `json:"uri"`
	State         string    `json:"state,omitempty"`
	Scopes        []string  `json:"scopes"`
	CodeChallenge string    `json:"challenge,omitempty"` // PKCE, S256; empty where a confidential client sent none
	ExpiresAt     time.Time `json:"until"`
}

// OAuthDecision is what has become of a request.
type OAuthDecision struct {
	Approved         bool
	DecidedAt        time.Time
	OrganizationSlug Slug
}

// OAuthTokens are what an application gets for a code or a refresh token. The tokens are its secrets and never stored.
type OAuthTokens struct {
	AccessToken  string
	RefreshToken string
	// Refused says that there are none: what was presented is not good, or not any more.
	Refused bool
}

// AuthorizedApp is an application that acts for members of an organization.
type AuthorizedApp struct {
	OAuthApp
	AuthorizedAt time.Time
	AuthorizedBy string // the e-mail address of whoever approved it last
	Granted      []string
}

// sealedRequests is what requests are sealed for, while they travel.
const sealedRequests = "oauth requests"

// SealOAuthRequest gives a request an id and an end, and returns what stands for it in an address.
func (s *Store) SealOAuthRequest(request OAuthRequest) (string, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	request.ID, request.ExpiresAt = id, s.now().Add(oauthRequestLifetime)
	plain, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("encode the request: %w", err)
	}
	sealed, err := Seal(s.random, s.sealer.master.Derive(sealedRequests), plain, sealedRequests)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenOAuthRequest reads what SealOAuthRequest made, with its application, and with the decision where there is one.
// ErrNotFound: it is none, it has expired, or its application is gone.
func (s *Store) OpenOAuthRequest(ctx context.Context, text string) (OAuthRequest, OAuthApp, *OAuthDecision, error) {
	const doing = "look the application's request up"
	var request OAuthRequest
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return request, OAuthApp{}, nil, wrap(doing, ErrNotFound)
	}
	plain, err := s.sealer.unsealDerived(sealedRequests, sealed, sealedRequests)
	if err != nil || json.Unmarshal(plain, &request) != nil || !s.now().Before(request.ExpiresAt) {
		return OAuthRequest{}, OAuthApp{}, nil, wrap(doing, ErrNotFound)
	}
	app, err := oauthAppWhere(ctx, s.pool, `a.id = $1`, request.AppID)
	if err != nil {
		return OAuthRequest{}, OAuthApp{}, nil, wrap(doing, err)
	}
	var decision OAuthDecision
	err = s.pool.QueryRow(ctx, `
		select g.approved, g.decided_at, o.slug from platform.oauth_grants g join platform.organizations o on o.id = g.organization_id
		where g.id = $1`, request.ID).Scan(&decision.Approved, &decision.DecidedAt, &decision.OrganizationSlug)
	if errors.Is(err, pgx.ErrNoRows) {
		return request, app, nil, nil
	}
	return request, app, &decision, wrap(doing, err)
}

// ApproveOAuthRequest grants an application what it asks for, in an organization, in the actor's name, and returns the code that it
// can have its tokens for. A ConflictError says that the request was decided before.
func (s *Store) ApproveOAuthRequest(ctx context.Context, actor Actor, organizationID int64, request OAuthRequest, app OAuthApp) (code string, err error) {
	return write(ctx, s, actor, "approve the application's request", func(ctx context.Context, tx pgx.Tx) (string, AuditEntry, error) {
		code, err := newHex(s.random, 32)
		if err != nil {
			return "", AuditEntry{}, err
		}
		if err := s.forgetOAuthGrants(ctx, tx); err != nil {
			return "", AuditEntry{}, err
		}
		if err := s.decide(ctx, tx, actor, organizationID, request, digestOf(code)); err != nil {
			return "", AuditEntry{}, err
		}
		if _, err := tx.Exec(ctx, `update platform.oauth_apps set updated_at = $2 where id = $1 and organization_id is null`, app.ID, s.now()); err != nil {
			return "", AuditEntry{}, fmt.Errorf("note the application's use: %w", err)
		}
		entry := oauthEntry("oauth_apps.authorize", organizationID, app)
		entry.Details["scopes"] = request.Scopes
		return code, entry, nil
	})
}

// DeclineOAuthRequest notes that an application is not granted what it asks for. A ConflictError says that the request was decided
// before.
func (s *Store) DeclineOAuthRequest(ctx context.Context, actor Actor, organizationID int64, request OAuthRequest, app OAuthApp) error {
	_, err := write(ctx, s, actor, "decline the application's request", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		return struct{}{}, oauthEntry("oauth_apps.decline", organizationID, app), s.decide(ctx, tx, actor, organizationID, request, nil)
	})
	return err
}

// decide keeps a decision; without a code's digest, it is to decline.
func (s *Store) decide(ctx context.Context, tx pgx.Tx, actor Actor, organizationID int64, request OAuthRequest, codeDigest []byte) error {
	var codeExpiresAt *time.Time
	if codeDigest != nil {
		until := s.now().Add(oauthCodeLifetime)
		codeExpiresAt = &until
	}
	tag, err := tx.Exec(ctx, `
		insert into platform.oauth_grants
			(id, app_id, organization_id, profile_id, approved, decided_at, scopes, redirect_uri, code_challenge, code_digest, code_expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10, $11) on conflict (id) do nothing`,
		request.ID, request.AppID, organizationID, actor.ProfileID, codeDigest != nil, s.now(), request.Scopes, request.RedirectURI,
		request.CodeChallenge, codeDigest, codeExpiresAt)
	if err != nil {
		return fmt.Errorf("keep the decision: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return &ConflictError{"This request was approved or declined already."}
	}
	return nil
}

// forgetOAuthGrants drops grants that nothing can be had for any more, and decisions that nobody looks up any more.
func (s *Store) forgetOAuthGrants(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		delete from platform.oauth_grants g where g.decided_at < $1::timestamptz - interval '1 day'
			and not exists (select from platform.oauth_refresh_tokens r where r.grant_id = g.id and r.expires_at > $1)`, s.now())
	if err != nil {
		return fmt.Errorf("forget old grants: %w", err)
	}
	return nil
}

// AuthorizedApps lists the applications that act for members of an organization, those approved last first.
func (s *Store) AuthorizedApps(ctx context.Context, organizationID int64) ([]AuthorizedApp, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+oauthAppColumns+`, g.decided_at, p.primary_email, g.scopes
		from (
			select distinct on (app_id) * from platform.oauth_grants
			where organization_id = $1 and approved and code_used_at is not null order by app_id, decided_at desc
		) g
		join platform.oauth_apps a on a.id = g.app_id join platform.profiles p on p.id = g.profile_id
		order by g.decided_at desc, a.id`, organizationID)
	apps, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuthorizedApp])
	return apps, wrap("list the authorized applications", err)
}

// RevokeOAuthApp ends everything that an application was granted in an organization. ErrNotFound: it was granted nothing.
func (s *Store) RevokeOAuthApp(ctx context.Context, actor Actor, organizationID int64, appID uuid.UUID) (AuthorizedApp, error) {
	return write(ctx, s, actor, "revoke the application", func(ctx context.Context, tx pgx.Tx) (AuthorizedApp, AuditEntry, error) {
		rows, _ := tx.Query(ctx, `
			select `+oauthAppColumns+`, g.decided_at, p.primary_email, g.scopes
			from platform.oauth_grants g join platform.oauth_apps a on a.id = g.app_id join platform.profiles p on p.id = g.profile_id
			where g.organization_id = $1 and g.app_id = $2 and g.approved order by g.decided_at desc limit 1`, organizationID, appID)
		app, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[AuthorizedApp])
		if err != nil {
			return AuthorizedApp{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `delete from platform.oauth_grants where organization_id = $1 and app_id = $2 and approved`, organizationID, appID)
		return app, oauthEntry("oauth_apps.revoke", organizationID, app.OAuthApp), err
	})
}

// OAuthGrant is what an application was granted, as far as it matters where tokens are asked for.
type OAuthGrant struct {
	ID             uuid.UUID
	ProfileID      int64
	OrganizationID int64
	Scopes         []string
	RedirectURI    string
	CodeChallenge  string // empty where there is none
}

const oauthGrantColumns = `g.id, g.profile_id, g.organization_id, g.scopes, g.redirect_uri, coalesce(g.code_challenge, '')`

// OAuthGrantByCode finds the grant that a code of an application's belongs to, whether the code is still good or not. ErrNotFound: the
// application has no such code.
func (s *Store) OAuthGrantByCode(ctx context.Context, appID uuid.UUID, code string) (OAuthGrant, error) {
	return s.oauthGrantWhere(ctx, `platform.oauth_grants g where g.app_id = $1 and g.code_digest = $2`, appID, digestOf(code))
}

// OAuthGrantByRefreshToken finds the grant that a refresh token of an application's belongs to, whether it is still good or not.
// ErrNotFound: the application has no such token.
func (s *Store) OAuthGrantByRefreshToken(ctx context.Context, appID uuid.UUID, token string) (OAuthGrant, error) {
	return s.oauthGrantWhere(ctx, `platform.oauth_grants g join platform.oauth_refresh_tokens r on r.grant_id = g.id
		where g.app_id = $1 and r.digest = $2`, appID, digestOf(token))
}

func (s *Store) oauthGrantWhere(ctx context.Context, from string, arguments ...any) (OAuthGrant, error) {
	rows, _ := s.pool.Query(ctx, `select `+oauthGrantColumns+` from `+from, arguments...)
	grant, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[OAuthGrant])
	return grant, wrap("look the grant up", err)
}

// OAuthIssue says for which grant tokens are asked, by which request, and what scopes of ours its access token gets.
type OAuthIssue struct {
	Grant       OAuthGrant
	Actor       Actor // the grant's profile
	AppName     string
	TokenScopes []string
}

// ExchangeOAuthCode gives an application its first tokens for a code. A code that is presented once more, to another request than
// the first, ends the grant (RFC 6749, section 4.1.2): somebody else may have it.
func (s *Store) ExchangeOAuthCode(ctx context.Context, issue OAuthIssue, code string) (OAuthTokens, error) {
	return s.issueOAuth(ctx, issue, "exchange the code", func(ctx context.Context, tx pgx.Tx) (fate, error) {
		var expiresAt time.Time
		var usedAt *time.Time
		err := tx.QueryRow(ctx, `
			select code_expires_at, code_used_at from platform.oauth_grants where id = $1 and code_digest = $2 for update`,
			issue.Grant.ID, digestOf(code)).Scan(&expiresAt, &usedAt)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return refused, nil
		case err != nil:
			return refused, fmt.Errorf("read the code: %w", err)
		case usedAt != nil:
			return ended, nil
		case !s.now().Before(expiresAt):
			return refused, nil
		}
		_, err = tx.Exec(ctx, `update platform.oauth_grants set code_used_at = $2 where id = $1`, issue.Grant.ID, s.now())
		return granted, err
	})
}

// RefreshOAuth gives an application new tokens for a refresh token, which is good once. One that was used a while ago ends the
// grant: either its owner or somebody else has stolen goods, and nobody can tell who.
func (s *Store) RefreshOAuth(ctx context.Context, issue OAuthIssue, token string) (OAuthTokens, error) {
	return s.issueOAuth(ctx, issue, "refresh the tokens", func(ctx context.Context, tx pgx.Tx) (fate, error) {
		var expiresAt time.Time
		var usedAt *time.Time
		err := tx.QueryRow(ctx, `
			select r.expires_at, r.used_at from platform.oauth_refresh_tokens r where r.digest = $1 and r.grant_id = $2 for update`,
			digestOf(token), issue.Grant.ID).Scan(&expiresAt, &usedAt)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return refused, nil
		case err != nil:
			return refused, fmt.Errorf("read the refresh token: %w", err)
		case usedAt != nil && s.now().After(usedAt.Add(oauthReuseInterval)):
			return ended, nil
		case !s.now().Before(expiresAt):
			return refused, nil
		}
		_, err = tx.Exec(ctx, `update platform.oauth_refresh_tokens set used_at = coalesce(used_at, $2) where digest = $1`, digestOf(token), s.now())
		return granted, err
	})
}

// fate is what becomes of a grant when something is presented for tokens.
type fate int

const (
	refused fate = iota // no tokens, and nothing else
	granted
	ended // no tokens, and no grant any more
)

// issueOAuth makes tokens for a grant if check finds that what was presented is good.
func (s *Store) issueOAuth(ctx context.Context, issue OAuthIssue, doing string, check func(context.Context, pgx.Tx) (fate, error)) (OAuthTokens, error) {
	return write(ctx, s, issue.Actor, doing, func(ctx context.Context, tx pgx.Tx) (OAuthTokens, AuditEntry, error) {
		entry := AuditEntry{Action: "oauth_apps.tokens.issue", OrganizationID: issue.Grant.OrganizationID, Details: map[string]any{"app": issue.AppName}}
		found, err := check(ctx, tx)
		switch {
		case err != nil:
			return OAuthTokens{}, AuditEntry{}, err
		case found == granted:
			tokens, err := s.insertOAuthTokens(ctx, tx, issue)
			return tokens, entry, err
		case found == ended:
			entry.Action = "oauth_apps.tokens.reused"
			_, err = tx.Exec(ctx, `delete from platform.oauth_grants where id = $1`, issue.Grant.ID)
			return OAuthTokens{Refused: true}, entry, err
		default:
			entry.Action = "oauth_apps.tokens.refused"
			return OAuthTokens{Refused: true}, entry, nil
		}
	})
}

func (s *Store) insertOAuthTokens(ctx context.Context, tx pgx.Tx, issue OAuthIssue) (OAuthTokens, error) {
	digits, err := newHex(s.random, 20)
	if err != nil {
		return OAuthTokens{}, err
	}
	refresh, err := newHex(s.random, 32)
	if err != nil {
		return OAuthTokens{}, err
	}
	tokens := OAuthTokens{AccessToken: oauthTokenPrefix + digits, RefreshToken: refresh}
	now := s.now()
	_, err = tx.Exec(ctx, `
		with access as (delete from platform.access_tokens where oauth_grant_id = $1 and expires_at <= $2)
		delete from platform.oauth_refresh_tokens where grant_id = $1 and expires_at <= $2`, issue.Grant.ID, now)
	if err != nil {
		return OAuthTokens{}, fmt.Errorf("forget old tokens: %w", err)
	}
	_, err = tx.Exec(ctx, `
		insert into platform.access_tokens (profile_id, name, digest, alias, created_at, expires_at, scopes, organization_ids, oauth_grant_id)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		issue.Grant.ProfileID, issue.AppName, digestOf(tokens.AccessToken), oauthTokenPrefix+digits[:4]+"…"+digits[len(digits)-4:], now,
		now.Add(OAuthTokenLifetime), issue.TokenScopes, []int64{issue.Grant.OrganizationID}, issue.Grant.ID)
	if err != nil {
		return OAuthTokens{}, fmt.Errorf("keep the access token: %w", err)
	}
	_, err = tx.Exec(ctx, `insert into platform.oauth_refresh_tokens (digest, grant_id, expires_at) values ($1, $2, $3)`,
		digestOf(refresh), issue.Grant.ID, now.Add(oauthRefreshLifetime))
	if err != nil {
		return OAuthTokens{}, fmt.Errorf("keep the refresh token: %w", err)
	}
	return tokens, nil
}

// EndOAuthGrant ends a grant by the wish of its application.
func (s *Store) EndOAuthGrant(ctx context.Context, issue OAuthIssue) error {
	_, err := write(ctx, s, issue.Actor, "end the grant", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		_, err := tx.Exec(ctx, `delete from platform.oauth_grants where id = $1`, issue.Grant.ID)
		return struct{}{}, AuditEntry{
			Action: "oauth_apps.tokens.revoke", OrganizationID: issue.Grant.OrganizationID, Details: map[string]any{"app": issue.AppName},
		}, err
	})
	return err
}
