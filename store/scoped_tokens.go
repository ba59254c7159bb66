package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// TokenLimits are what an access token with scopes may do, and where. nil are the limits of a token without: none.
type TokenLimits struct {
	Scopes []string `json:"scopes"`
	// OrganizationIDs and ProjectIDs are all that the token reaches: these organizations with their projects, and these
	// projects. Where both are empty it reaches whatever its owner does.
	OrganizationIDs []int64 `json:"organization_ids"`
	ProjectIDs      []int64 `json:"project_ids"`
}

func (l *TokenLimits) limited() bool {
	return l != nil && len(l.OrganizationIDs)+len(l.ProjectIDs) > 0
}

func (l *TokenLimits) organizations() []int64 {
	if l == nil {
		return nil
	}
	return l.OrganizationIDs
}

func (l *TokenLimits) projects() []int64 {
	if l == nil {
		return nil
	}
	return l.ProjectIDs
}

// ReachesOrganization tells whether a token may be used for an organization.
func (l *TokenLimits) ReachesOrganization(id int64) bool {
	return !l.limited() || slices.Contains(l.OrganizationIDs, id)
}

// ReachesProject tells whether a token may be used for a project. One for a project is for its branches, too.
func (l *TokenLimits) ReachesProject(project Project) bool {
	return l.ReachesOrganization(project.OrganizationID) || slices.Contains(l.ProjectIDs, project.ID) ||
		project.ParentID != nil && slices.Contains(l.ProjectIDs, *project.ParentID)
}

// ScopedToken is an access token with scopes, without its secret.
type ScopedToken struct {
	AccessToken
	Scopes            []string
	OrganizationSlugs []Slug
	ProjectRefs       []Ref
}

// NewScopedToken is a token with scopes that was just made. Token is its secret: it is shown once and never stored.
type NewScopedToken struct {
	ScopedToken
	Token string
}

// WantedToken is what a user decides when a token with scopes is made.
type WantedToken struct {
	Name              string
	Scopes            []string
	ExpiresAt         *time.Time // nil: it does not expire
	OrganizationSlugs []Slug     // with ProjectRefs, all that the token reaches; both empty: whatever its owner does
	ProjectRefs       []Ref
}

const scopedTokenColumns = accessTokenColumns + `, t.scopes,
	coalesce((select array_agg(o.slug order by o.slug) from platform.organizations o where o.id = any (t.organization_ids)), '{}'),
	coalesce((select array_agg(p.ref order by p.ref) from platform.projects p where p.id = any (t.project_ids)), '{}')`

// ScopedTokens lists a profile's tokens with scopes, newest first.
func (s *Store) ScopedTokens(ctx context.Context, profileID int64) ([]ScopedToken, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+scopedTokenColumns+` from platform.access_tokens t
		where t.profile_id = $1 and t.scopes is not null and t.oauth_grant_id is null order by t.id desc`, profileID)
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ScopedToken])
	return tokens, wrap("list the scoped access tokens", err)
}

// ScopedTokenByID returns one of a profile's tokens with scopes. ErrNotFound: the profile has no such token.
func (s *Store) ScopedTokenByID(ctx context.Context, profileID, id int64) (ScopedToken, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+scopedTokenColumns+` from platform.access_tokens t
		where t.profile_id = $1 and t.id = $2 and t.scopes is not null and t.oauth_grant_id is null`, profileID, id)
	token, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ScopedToken])
	return token, wrap("look the scoped access token up", err)
}

// CreateScopedToken makes a token with scopes for the actor. ErrNotFound: an organization or a project that it is to reach
// is not there for the actor.
func (s *Store) CreateScopedToken(ctx context.Context, actor Actor, wanted WantedToken) (NewScopedToken, error) {
	return write(ctx, s, actor, "make a scoped access token", func(ctx context.Context, tx pgx.Tx) (NewScopedToken, AuditEntry, error) {
		organizations, projects, err := reach(ctx, tx, actor.ProfileID, wanted)
		if err != nil {
			return NewScopedToken{}, AuditEntry{}, err
		}
		made, err := s.insertAccessToken(ctx, tx, actor, wanted.Name, wanted.ExpiresAt)
		if err != nil {
			return NewScopedToken{}, AuditEntry{}, err
		}
		rows, _ := tx.Query(ctx, `
			update platform.access_tokens t set scopes = $2, organization_ids = $3, project_ids = $4
			where id = $1 returning `+scopedTokenColumns, made.ID, wanted.Scopes, organizations, projects)
		scoped, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ScopedToken])
		entry := AuditEntry{Action: "access_tokens.create", Details: map[string]any{
			"name": wanted.Name, "alias": made.Alias, "scopes": wanted.Scopes,
			"organizations": wanted.OrganizationSlugs, "projects": wanted.ProjectRefs,
		}}
		return NewScopedToken{scoped, made.Token}, entry, err
	})
}

// reach finds the ids of what a token is to reach, as far as its owner may know of it.
func reach(ctx context.Context, tx pgx.Tx, profileID int64, wanted WantedToken) (organizations, projects []int64, err error) {
	organizations, err = ids(ctx, tx, `
		select o.id from platform.members m join platform.organizations o on o.id = m.organization_id
		where m.profile_id = $1 and o.slug = any ($2)`, profileID, wanted.OrganizationSlugs)
	if err != nil {
		return nil, nil, fmt.Errorf("find the organizations: %w", err)
	}
	projects, err = ids(ctx, tx, `select p.id from `+visibleProjects+` and m.profile_id = $1 and p.ref = any ($2)`,
		profileID, wanted.ProjectRefs)
	if err != nil {
		return nil, nil, fmt.Errorf("find the projects: %w", err)
	}
	if len(organizations) != len(wanted.OrganizationSlugs) || len(projects) != len(wanted.ProjectRefs) {
		return nil, nil, ErrNotFound
	}
	return organizations, projects, nil
}

func ids(ctx context.Context, tx pgx.Tx, sql string, arguments ...any) ([]int64, error) {
	rows, _ := tx.Query(ctx, sql, arguments...)
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if found == nil {
		found = []int64{}
	}
	return found, err
}
