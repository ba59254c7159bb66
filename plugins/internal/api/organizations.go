package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// OrganizationResponse is an organization as one of its members sees it in Studio.
type OrganizationResponse struct {
	ID                       int64            `json:"id"`
	Slug                     string           `json:"slug"`
	Name                     string           `json:"name"`
	BillingEmail             *string          `json:"billing_email"`
	BillingPartner           *string          `json:"billing_partner"`
	HasOrioleProject         bool             `json:"has_oriole_project"`
	IsOwner                  bool             `json:"is_owner"`
	OptInTags                []string         `json:"opt_in_tags"`
	OrganizationMissingAddr  bool             `json:"organization_missing_address"`
	OrganizationMissingTaxID bool             `json:"organization_missing_tax_id"`
	OrganizationRequiresMFA  bool             `json:"organization_requires_mfa"`
	Plan                     OrganizationPlan `json:"plan"`
	RestrictionData          *struct{}        `json:"restriction_data"`
	RestrictionStatus        *string          `json:"restriction_status"`
	StripeCustomerID         *string          `json:"stripe_customer_id"`
	SubscriptionID           *string          `json:"subscription_id"`
	UsageBillingEnabled      bool             `json:"usage_billing_enabled"`
}

// OrganizationPlan is what an organization may use. Self-hosting has one plan, with everything and without a price.
type OrganizationPlan struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// planID is the one by which Studio shows everything as allowed.
const planID = "enterprise"

// plan is the one that there is, under the name that the operator gave it.
func (a *API) plan() OrganizationPlan {
	return OrganizationPlan{ID: planID, Name: a.settings.Instance.Plan}
}

type createOrganizationInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100"`
	}
}

// UpdateOrganizationResponse is what became of an organization.
type UpdateOrganizationResponse struct {
	ID               int64    `json:"id"`
	Slug             string   `json:"slug"`
	Name             string   `json:"name"`
	BillingEmail     *string  `json:"billing_email,omitempty"`
	OptInTags        []string `json:"opt_in_tags"`
	StripeCustomerID string   `json:"stripe_customer_id" doc:"Always empty: there is no Stripe."`
}

type updateOrganizationInput struct {
	SlugPath
	Body struct {
		Name                    *string   `json:"name,omitempty" minLength:"1" maxLength:"100"`
		BillingEmail            *string   `json:"billing_email,omitempty" format:"email" maxLength:"320"`
		AdditionalBillingEmails *[]string `json:"additional_billing_emails,omitempty" maxItems:"100"`
		OptInTags               *[]string `json:"opt_in_tags,omitempty" enum:"AI_SQL_GENERATOR_OPT_IN,AI_DATA_GENERATOR_OPT_IN,AI_LOG_GENERATOR_OPT_IN" maxItems:"3"`
	}
}

// SlugPath names an organization.
type SlugPath struct {
	Slug string `path:"slug"`
}

func (a *API) registerOrganizations() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations", permission: access.SignedInTo(access.Read, "organizations"),
		kind: Real, summary: "Your organizations",
	}, a.listOrganizations)
	handle(a, route{
		method: http.MethodPost, path: "/platform/organizations", permission: access.SignedInTo(access.Create, "organizations"), status: http.StatusCreated,
		kind: Real, summary: "Create an organization",
	}, a.createOrganization)
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}", permission: access.InOrganization(access.Read, "organizations"),
		kind: Real, summary: "One organization",
	}, a.getOrganization)
	handle(a, route{
		method: http.MethodPatch, path: "/platform/organizations/{slug}", permission: access.InOrganization(access.Update, "organizations"),
		kind: Real, summary: "Change an organization",
	}, a.updateOrganization)
	handle(a, route{
		method: http.MethodDelete, path: "/platform/organizations/{slug}", permission: access.InOrganization(access.Delete, "organizations"),
		kind: Real, summary: "Delete an organization without projects",
	}, a.deleteOrganization)
	for _, path := range []string{"/platform/organizations/{slug}/projects", "/v1/organizations/{slug}/projects"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: access.InOrganization(access.Read, "projects"),
			kind: Real, summary: "The organization's projects that you may see",
		}, a.listOrganizationProjects)
	}
}

func (a *API) listOrganizations(ctx context.Context, c *call, _ *none) ([]OrganizationResponse, error) {
	memberships, err := a.memberships(ctx, c)
	if err != nil {
		return nil, err
	}
	list := make([]OrganizationResponse, len(memberships))
	for i, membership := range memberships {
		list[i] = a.organizationOf(membership)
	}
	return list, nil
}

// memberships are the caller's, as far as the access token reaches that they use.
func (a *API) memberships(ctx context.Context, c *call) ([]store.Membership, error) {
	memberships, err := a.store.Memberships(ctx, c.Profile.ID)
	return slices.DeleteFunc(memberships, func(m store.Membership) bool { return !c.Limits.ReachesOrganization(m.ID) }), err
}

func (a *API) createOrganization(ctx context.Context, c *call, in *createOrganizationInput) (OrganizationResponse, error) {
	made, err := a.store.CreateOrganization(ctx, c.actor, in.Body.Name)
	return a.organizationOf(made), err
}

func (a *API) getOrganization(_ context.Context, c *call, _ *SlugPath) (OrganizationResponse, error) {
	return a.organizationOf(c.membership), nil
}

func (a *API) updateOrganization(ctx context.Context, c *call, in *updateOrganizationInput) (UpdateOrganizationResponse, error) {
	o, err := a.store.UpdateOrganization(ctx, c.actor, c.membership.ID, store.OrganizationChange{
		Name: in.Body.Name, BillingEmail: in.Body.BillingEmail,
		AdditionalBillingEmails: in.Body.AdditionalBillingEmails, OptInTags: in.Body.OptInTags,
	})
	return UpdateOrganizationResponse{ID: o.ID, Slug: string(o.Slug), Name: o.Name, BillingEmail: o.BillingEmail, OptInTags: o.OptInTags}, err
}

func (a *API) deleteOrganization(ctx context.Context, c *call, _ *SlugPath) (OrganizationResponse, error) {
	return a.organizationOf(c.membership), a.store.DeleteOrganization(ctx, c.actor, c.membership.ID)
}

func (a *API) organizationOf(m store.Membership) OrganizationResponse {
	return OrganizationResponse{
		ID: m.ID, Slug: string(m.Slug), Name: m.Name, BillingEmail: m.BillingEmail,
		IsOwner: m.Role == store.RoleOwner, OptInTags: m.OptInTags, Plan: a.plan(),
		OrganizationRequiresMFA: m.MFARequired,
	}
}
