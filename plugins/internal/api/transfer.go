package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// TransferProjectBody names the organization that a project should belong to.
type TransferProjectBody struct {
	Target string `json:"target_organization_slug" minLength:"1" maxLength:"64"`
}

type transferInput struct {
	Ref  string `path:"ref"`
	Body TransferProjectBody
}

// TransferPreview says what stands in the way of a transfer. Plans are all the same here.
type TransferPreview struct {
	Valid                     bool           `json:"valid"`
	Errors                    []TransferNote `json:"errors"`
	Warnings                  []TransferNote `json:"warnings"`
	Info                      []TransferNote `json:"info"`
	HasSourcePermissions      bool           `json:"has_permissions_on_source_organization"`
	HasAccessToTarget         bool           `json:"has_access_to_target_organization"`
	MembersExceedingFreeLimit []never        `json:"members_exceeding_free_project_limit"`
	SourcePlan                string         `json:"source_subscription_plan" enum:"enterprise"`
	TargetPlan                *string        `json:"target_subscription_plan" doc:"null where the organization is not yours to see."`
}

// TransferNote is one thing to know of a transfer.
type TransferNote struct {
	Key     string `json:"key"`
	Message string `json:"message"`
}

func (a *API) registerTransfer() {
	const path = "/platform/projects/{ref}/transfer"
	permission := access.InProject(access.Update, "projects")
	act(a, route{
		method: http.MethodPost, path: path, permission: permission, status: http.StatusCreated,
		kind: Real, summary: "Move a project into another organization",
	}, a.transferProject)
	handle(a, route{
		method: http.MethodPost, path: path + "/preview", permission: permission, status: http.StatusCreated,
		kind: Real, summary: "What stands in the way of that",
	}, a.previewTransfer)
}

func (a *API) transferProject(ctx context.Context, c *call, in *transferInput) error {
	target, err := a.transferTarget(ctx, c, store.Slug(in.Body.Target))
	if err != nil {
		return err
	}
	return a.store.TransferProject(ctx, c.actor, c.project.Ref, target.ID)
}

// transferTarget returns the organization that a project is to belong to, where the caller may take one away from where it is
// and make one there. A role in the project alone is none in its organization.
func (a *API) transferTarget(ctx context.Context, c *call, slug store.Slug) (store.Membership, error) {
	source, err := a.store.MembershipBySlug(ctx, c.Profile.ID, c.project.OrganizationSlug)
	if err != nil {
		return store.Membership{}, problem.OrNotFound(err, "Project not found")
	}
	if !access.Allows(source.Roles, access.Delete, "projects") {
		return store.Membership{}, problem.Forbidden(access.InOrganization(access.Delete, "projects"))
	}
	goal := &call{Caller: c.Caller}
	err = a.enterOrganization(ctx, goal, access.InOrganization(access.Create, "projects"), slug, false)
	return goal.membership, err
}

func (a *API) previewTransfer(ctx context.Context, c *call, in *transferInput) (TransferPreview, error) {
	preview := TransferPreview{
		Errors: []TransferNote{}, Warnings: []TransferNote{}, Info: []TransferNote{}, MembersExceedingFreeLimit: []never{},
		HasSourcePermissions: true, HasAccessToTarget: true, SourcePlan: planID,
	}
	target, err := a.transferTarget(ctx, c, store.Slug(in.Body.Target))
	var refused *problem.Problem
	switch {
	case errors.As(err, &refused):
		preview.Errors = append(preview.Errors, TransferNote{"permissions", refused.Message})
		preview.HasAccessToTarget = refused.Status != http.StatusNotFound
		preview.HasSourcePermissions = a.maySendAway(ctx, c)
		return preview, nil
	case err != nil:
		return preview, err
	case target.ID == c.project.OrganizationID:
		preview.Errors = append(preview.Errors, TransferNote{"same_organization", "The project is in this organization already."})
	}
	plan := planID
	preview.TargetPlan, preview.Valid = &plan, len(preview.Errors) == 0
	preview.Warnings = append(preview.Warnings, TransferNote{
		"members", "Whoever is not a member of the other organization cannot reach the project any more; roles in this project alone, and invitations to it, end.",
	})
	return preview, nil
}

func (a *API) maySendAway(ctx context.Context, c *call) bool {
	source, err := a.store.MembershipBySlug(ctx, c.Profile.ID, c.project.OrganizationSlug)
	return err == nil && access.Allows(source.Roles, access.Delete, "projects")
}
