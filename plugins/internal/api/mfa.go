package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// MFAStatusResponse says whether an organization demands multi-factor authentication.
type MFAStatusResponse struct {
	Enforced bool `json:"enforced"`
}

type changeMFAInput struct {
	SlugPath
	Body struct {
		Enforced bool `json:"enforced"`
	}
}

func (a *API) registerMFA() {
	const enforcement = "/platform/organizations/{slug}/members/mfa/enforcement"
	handle(a, route{
		method: http.MethodGet, path: enforcement, permission: access.InOrganization(access.Read, "organizations"),
		status: http.StatusCreated, // as the contract has it
		kind:   Real, summary: "Whether members need a second factor",
	}, a.getMFA)
	handle(a, route{
		method: http.MethodPatch, path: enforcement, permission: access.InOrganization(access.Update, "organizations"),
		status: http.StatusCreated, kind: Real, summary: "Say whether members need a second factor",
	}, a.changeMFA)
}

func (a *API) getMFA(_ context.Context, c *call, _ *SlugPath) (MFAStatusResponse, error) {
	return MFAStatusResponse{Enforced: c.membership.MFARequired}, nil
}

// changeMFA keeps people from locking themselves out.
func (a *API) changeMFA(ctx context.Context, c *call, in *changeMFAInput) (MFAStatusResponse, error) {
	if in.Body.Enforced && !access.HasSecondFactor(c.Caller) {
		return MFAStatusResponse{}, problem.New(http.StatusBadRequest,
			"Verify a second factor in this session first: without one, you would lock yourself out.")
	}
	changed, err := a.store.UpdateOrganization(ctx, c.actor, c.membership.ID, store.OrganizationChange{MFARequired: &in.Body.Enforced})
	return MFAStatusResponse{Enforced: changed.MFARequired}, err
}
