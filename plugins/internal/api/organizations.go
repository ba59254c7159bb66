package api

import (
	"context"
	"net/http"

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

// selfHostedPlan has the id by which Studio shows everything as allowed.
var selfHostedPlan = OrganizationPlan{ID: "enterprise", Name: "Self-hosted"}

type createOrganizationInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100"`
	}
}

// SlugPath names an organization.
type SlugPath struct {
	Slug string `path:"slug"`
}

func (a *API) registerOrganizations() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations", permission: access.SignedIn(),
		summary: "Your organizations",
	}, a.listOrganizations)
	handle(a, route{
		method: http.MethodPost, path: "/platform/organizations", permission: access.SignedIn(), status: http.StatusCreated,
		summary: "Create an organization",
	}, a.createOrganization)
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}", permission: access.InOrganization(access.Read, "organizations"),
		summary: "One organization",
	}, a.getOrganization)
	handle(a, route{
		method: http.MethodDelete, path: "/platform/organizations/{slug}", permission: access.InOrganization(access.Delete, "organizations"),
		summary: "Delete an organization without projects",
	}, a.deleteOrganization)
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}/projects", permission: access.InOrganization(access.Read, "organizations"),
		summary: "The organization's projects that you may see",
	}, a.listOrganizationProjects)
}

func (a *API) listOrganizations(ctx context.Context, c *call, _ *none) ([]OrganizationResponse, error) {
	memberships, err := a.store.Memberships(ctx, c.Profile.ID)
	if err != nil {
		return nil, err
	}
	list := make([]OrganizationResponse, len(memberships))
	for i, membership := range memberships {
		list[i] = organizationOf(membership)
	}
	return list, nil
}

func (a *API) createOrganization(ctx context.Context, c *call, in *createOrganizationInput) (OrganizationResponse, error) {
	made, err := a.store.CreateOrganization(ctx, c.actor, in.Body.Name)
	return organizationOf(made), err
}

func (a *API) getOrganization(_ context.Context, c *call, _ *SlugPath) (OrganizationResponse, error) {
	return organizationOf(c.membership), nil
}

func (a *API) deleteOrganization(ctx context.Context, c *call, _ *SlugPath) (OrganizationResponse, error) {
	return organizationOf(c.membership), a.store.DeleteOrganization(ctx, c.actor, c.membership.ID)
}

func organizationOf(m store.Membership) OrganizationResponse {
	return OrganizationResponse{
		ID: m.ID, Slug: string(m.Slug), Name: m.Name, BillingEmail: m.BillingEmail,
		IsOwner: m.Role == store.RoleOwner, OptInTags: m.OptInTags, Plan: selfHostedPlan,
		OrganizationRequiresMFA: m.MFARequired,
	}
}
