package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ProfileResponse is a person as Studio shows them.
type ProfileResponse struct {
	ID               int64    `json:"id"`
	Auth0ID          string   `json:"auth0_id" doc:"Always empty: there is no Auth0."`
	GotrueID         string   `json:"gotrue_id"`
	PrimaryEmail     string   `json:"primary_email"`
	Username         string   `json:"username"`
	FirstName        *string  `json:"first_name"`
	LastName         *string  `json:"last_name"`
	Mobile           *string  `json:"mobile"`
	FreeProjectLimit *int     `json:"free_project_limit" doc:"Null: there is no such limit."`
	DisabledFeatures []string `json:"disabled_features"`
	IsAlphaUser      bool     `json:"is_alpha_user"`
	IsSSOUser        bool     `json:"is_sso_user"`
}

// AccessControlPermission is one rule, in the shape that Studio evaluates.
type AccessControlPermission struct {
	OrganizationID   int64    `json:"organization_id"`
	OrganizationSlug string   `json:"organization_slug"`
	Actions          []string `json:"actions"`
	Resources        []string `json:"resources"`
	Condition        any      `json:"condition" doc:"json-logic; null for a rule that always holds."`
	Restrictive      bool     `json:"restrictive"`
	ProjectIDs       []int64  `json:"project_ids"`
	ProjectRefs      []string `json:"project_refs"`
}

type updateProfileInput struct {
	Body struct {
		Username     *string `json:"username,omitempty" minLength:"1" maxLength:"100"`
		FirstName    *string `json:"first_name,omitempty" maxLength:"100"`
		LastName     *string `json:"last_name,omitempty" maxLength:"100"`
		PrimaryEmail *string `json:"primary_email,omitempty" maxLength:"320" doc:"Only as it is: the address is the one that you sign in with."`
	}
}

func (a *API) registerProfile() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/profile", permission: access.SignedInTo(access.Read, "profile"),
		kind: Real, summary: "Your profile, made on first sight",
	}, a.getProfile)
	// Studio asks for this one when it believes that there is no profile yet.
	handle(a, route{
		method: http.MethodPost, path: "/platform/profile", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Make your profile",
	}, a.getProfile)
	handle(a, route{
		method: http.MethodPatch, path: "/platform/profile", permission: access.SignedIn(),
		kind: Real, summary: "Change your profile",
	}, a.updateProfile)
	handle(a, route{
		method: http.MethodGet, path: "/platform/profile/permissions", permission: access.SignedInTo(access.Read, "organizations"),
		kind: Real, summary: "What you may do, in all your organizations",
	}, a.getPermissions)
}

// getProfile answers with the profile that authentication found or made.
func (a *API) getProfile(_ context.Context, c *call, _ *none) (ProfileResponse, error) {
	return a.profileOf(c.Profile), nil
}

// updateProfile leaves the e-mail address to GoTrue, which alone knows whose it is: invitations are by address.
func (a *API) updateProfile(ctx context.Context, c *call, in *updateProfileInput) (ProfileResponse, error) {
	if address := in.Body.PrimaryEmail; address != nil && !strings.EqualFold(*address, c.Profile.PrimaryEmail) {
		return ProfileResponse{}, problem.BadRequest("The e-mail address is the one that you sign in with. Change it there.")
	}
	changed, err := a.store.UpdateProfile(ctx, c.actor, store.ProfileChange{
		Username: in.Body.Username, FirstName: in.Body.FirstName, LastName: in.Body.LastName,
	})
	return a.profileOf(changed), err
}

func (a *API) profileOf(p store.Profile) ProfileResponse {
	return ProfileResponse{
		ID: p.ID, GotrueID: p.GotrueID, PrimaryEmail: p.PrimaryEmail, Username: p.Username,
		FirstName: p.FirstName, LastName: p.LastName, Mobile: p.Mobile,
		DisabledFeatures: append([]string{}, a.settings.Instance.DisabledFeatures...),
	}
}

func (a *API) getPermissions(ctx context.Context, c *call, _ *none) ([]AccessControlPermission, error) {
	memberships, err := a.memberships(ctx, c)
	if err != nil {
		return nil, err
	}
	permissions := []AccessControlPermission{}
	for _, membership := range memberships {
		permissions = append(permissions, permissionsOf(membership)...)
	}
	return permissions, nil
}

// permissionsOf prints what somebody may do: the rows of their role in the organization, and for each role that is scoped
// to projects its rows with those projects.
func permissionsOf(m store.Membership) []AccessControlPermission {
	permissions := rowsOf(m.Organization, access.InOrganizationOf(m.Roles), nil)
	for _, scoped := range m.Scoped() {
		permissions = append(permissions, rowsOf(m.Organization, access.Matrix[scoped.ID.Base()], scoped.Projects)...)
	}
	return permissions
}

func rowsOf(organization store.Organization, grants []access.Grant, projects []store.ProjectRole) []AccessControlPermission {
	ids, refs := make([]int64, len(projects)), make([]string, len(projects))
	for i, project := range projects {
		ids[i], refs[i] = project.ProjectID, string(project.Ref)
	}
	rows := make([]AccessControlPermission, len(grants))
	for i, grant := range grants {
		rows[i] = AccessControlPermission{
			OrganizationID: organization.ID, OrganizationSlug: string(organization.Slug),
			Actions: grant.Actions, Resources: grant.Resources, Restrictive: grant.Restrictive,
			ProjectIDs: ids, ProjectRefs: refs,
		}
		if grant.OfOwners {
			rows[i].Condition = ofOwners
		}
	}
	return rows
}

// ofOwners holds for the ids of an owner's role, of the organization or of projects, as store.RoleID makes them. Studio
// evaluates it over the role that it asks about.
var ofOwners = map[string]any{"==": []any{
	map[string]any{"%": []any{map[string]any{"var": "resource.role_id"}, 8}}, int(store.RoleOwner),
}}
