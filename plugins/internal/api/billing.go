package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// never is an item of a list that is always empty: nothing is sold here, so there are no invoices, cards or add-ons.
type never struct{}

// SubscriptionResponse is an organization's one plan.
type SubscriptionResponse struct {
	Plan                OrganizationPlan `json:"plan"`
	Addons              []never          `json:"addons"`
	ProjectAddons       []never          `json:"project_addons"`
	BillingCycleAnchor  int64            `json:"billing_cycle_anchor"`
	BillingViaPartner   bool             `json:"billing_via_partner"`
	CurrentPeriodStart  int64            `json:"current_period_start" doc:"Unix seconds: the calendar month, for the pages that show a period."`
	CurrentPeriodEnd    int64            `json:"current_period_end"`
	NextInvoiceAt       int64            `json:"next_invoice_at" doc:"Zero: there is none."`
	PaymentMethodType   string           `json:"payment_method_type"`
	ScheduledPlanChange *never           `json:"scheduled_plan_change"`
	UsageBillingEnabled bool             `json:"usage_billing_enabled"`
}

// PlansResponse lists the plans that there are: one.
type PlansResponse struct {
	Plans []Plan `json:"plans"`
}

// Plan is a plan without a price.
type Plan struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Price      int    `json:"price"`
	IsCurrent  bool   `json:"is_current"`
	ChangeType string `json:"change_type" enum:"upgrade,downgrade,none"`
}

// UpcomingInvoice is the bill to come: nothing.
type UpcomingInvoice struct {
	AmountTotal       int       `json:"amount_total"`
	BillingCycleStart time.Time `json:"billing_cycle_start"`
	BillingCycleEnd   time.Time `json:"billing_cycle_end"`
	Currency          string    `json:"currency"`
	CustomerBalance   int       `json:"customer_balance"`
	Lines             []never   `json:"lines"`
	SubscriptionID    string    `json:"subscription_id"`
	Tax               *never    `json:"tax"`
	TaxStatus         string    `json:"tax_status" enum:"calculated,not_applicable,failed"`
}

// PaymentsResponse lists payment methods: none.
type PaymentsResponse struct {
	Data                   []never `json:"data"`
	DefaultPaymentMethodID *string `json:"defaultPaymentMethodId"`
}

// CustomerResponse is whom bills would go to.
type CustomerResponse struct {
	Email             string   `json:"email" doc:"Empty where none was given."`
	AdditionalEmails  []string `json:"additional_emails"`
	Balance           int      `json:"balance"`
	BillingViaPartner bool     `json:"billing_via_partner"`
	TaxID             *never   `json:"tax_id"`
}

// TaxIDResponse is an organization's tax id: none.
type TaxIDResponse struct {
	TaxID *never `json:"tax_id"`
}

// PreviewCreationResponse is what a new organization costs: nothing.
type PreviewCreationResponse struct {
	Currency  string `json:"currency"`
	PlanPrice int    `json:"plan_price"`
	Tax       *never `json:"tax"`
	TaxStatus string `json:"tax_status" enum:"calculated,not_applicable,failed"`
	Total     int    `json:"total"`
}

// invoiceCount is a count where Studio looks for one (data/invoices/invoices-count-query.ts).
type invoiceCount struct {
	Count int `header:"X-Total-Count"`
}

type updateCustomerInput struct {
	SlugPath
	Body struct {
		AdditionalEmails *[]string `json:"additional_emails,omitempty" maxItems:"100"`
		BillingName      *string   `json:"billing_name,omitempty"`
		Address          any       `json:"address,omitempty"`
		TaxID            any       `json:"tax_id,omitempty"`
		DryRun           bool      `json:"dry_run,omitempty"`
	}
}

func (a *API) registerBilling() {
	const organization = "/platform/organizations/{slug}"
	subscription := access.InOrganization(access.BillingRead, "stripe.subscriptions")
	same(a, organization+"/billing/plans", subscription, "The plans that there are", nothingSold, PlansResponse{[]Plan{
		{ID: planID, Name: a.settings.Instance.Plan, IsCurrent: true, ChangeType: "none"},
	}})
	same(a, organization+"/billing/invoices", subscription, "Invoices: none", nothingSold, []never{})
	same(a, organization+"/payments", access.InOrganization(access.BillingRead, "stripe.payment_methods"),
		"Payment methods: none", nothingSold, PaymentsResponse{Data: []never{}})
	same(a, organization+"/tax-ids", access.InOrganization(access.BillingRead, "stripe.tax_ids"),
		"The tax id: none", nothingSold, TaxIDResponse{})
	same(a, "/platform/stripe/invoices/overdue", access.SignedIn(), "Overdue invoices: none", nothingSold, []never{})
	register(a, route{
		method: http.MethodHead, path: organization + "/billing/invoices", permission: subscription,
		kind: Empty, because: nothingSold, summary: "How many invoices there are: none",
	}, func(context.Context, *call, *none) (*invoiceCount, error) { return &invoiceCount{}, nil })
	handle(a, route{
		method: http.MethodGet, path: organization + "/billing/subscription", permission: subscription,
		kind: Real, summary: "The organization's plan",
	}, a.getSubscription)
	handle(a, route{
		method: http.MethodGet, path: organization + "/billing/invoices/upcoming", permission: subscription,
		kind: Empty, because: nothingSold, summary: "The bill to come: nothing",
	}, a.getUpcomingInvoice)
	handle(a, route{
		method: http.MethodGet, path: organization + "/customer", permission: access.InOrganization(access.BillingRead, "stripe.customer"),
		kind: Real, summary: "Whom bills would go to",
	}, a.getCustomer)
	act(a, route{
		method: http.MethodPut, path: organization + "/customer", permission: access.InOrganization(access.BillingWrite, "stripe.customer"),
		status: http.StatusNoContent, kind: Real, summary: "Change whom bills would go to",
	}, a.updateCustomer)
	handle(a, route{
		method: http.MethodPost, path: "/platform/organizations/preview-creation", permission: access.SignedIn(),
		kind: Empty, because: nothingSold, summary: "What a new organization costs: nothing",
	}, func(context.Context, *call, *none) (PreviewCreationResponse, error) {
		return PreviewCreationResponse{Currency: currency, TaxStatus: "not_applicable"}, nil
	})
	a.registerNotSold()
}

// currency is there because the contract demands one; every amount in it is zero.
const currency = "USD"

// nothingSold is why there is nothing to pay, in the words that Studio shows.
const nothingSold = "This is a self-hosted platform: nothing is sold here, and there is nothing to pay."

// registerNotSold refuses, in words, what would be bought or paid.
func (a *API) registerNotSold() {
	const organization = "/platform/organizations/{slug}"
	plan := access.InOrganization(access.BillingWrite, "stripe.subscriptions")
	methods := access.InOrganization(access.BillingWrite, "stripe.payment_methods")
	for _, r := range []route{
		{method: http.MethodPut, path: organization + "/billing/subscription", permission: plan},
		{method: http.MethodPost, path: organization + "/billing/subscription/preview", permission: plan},
		{method: http.MethodPost, path: organization + "/billing/subscription/confirm", permission: plan},
		{method: http.MethodPost, path: organization + "/billing/credits/redeem", permission: plan},
		{method: http.MethodPost, path: organization + "/billing/credits/top-up", permission: plan},
		{method: http.MethodPost, path: organization + "/billing/upgrade-request", permission: plan},
		{method: http.MethodPost, path: organization + "/payments/setup-intent", permission: methods},
		{method: http.MethodPut, path: organization + "/payments/default", permission: methods},
		{method: http.MethodDelete, path: organization + "/payments", permission: methods},
		{method: http.MethodPut, path: organization + "/tax-ids", permission: access.InOrganization(access.BillingWrite, "stripe.tax_ids")},
		{method: http.MethodDelete, path: organization + "/tax-ids", permission: access.InOrganization(access.BillingWrite, "stripe.tax_ids")},
	} {
		r.summary = "Refused: nothing is sold here"
		refuse(a, r, nothingSold)
	}
	invoices := access.InOrganization(access.BillingRead, "stripe.subscriptions")
	for _, path := range []string{"", "/payment-link", "/receipt"} {
		act(a, route{
			method: http.MethodGet, path: organization + "/billing/invoices/{invoice_id}" + path, permission: invoices,
			kind: Unavailable, because: nothingSold, summary: "There are no invoices",
		}, func(context.Context, *call, *SlugPath) error { return problem.NotFound("Invoice not found") })
	}
}

func (a *API) getSubscription(_ context.Context, _ *call, _ *SlugPath) (SubscriptionResponse, error) {
	start, end := month(a.now())
	return SubscriptionResponse{
		Plan: a.plan(), Addons: []never{}, ProjectAddons: []never{},
		CurrentPeriodStart: start.Unix(), CurrentPeriodEnd: end.Unix(), PaymentMethodType: "none",
	}, nil
}

func (a *API) getUpcomingInvoice(_ context.Context, _ *call, _ *SlugPath) (UpcomingInvoice, error) {
	start, end := month(a.now())
	return UpcomingInvoice{
		BillingCycleStart: start, BillingCycleEnd: end, Currency: currency, Lines: []never{}, TaxStatus: "not_applicable",
	}, nil
}

func (a *API) getCustomer(_ context.Context, c *call, _ *SlugPath) (CustomerResponse, error) {
	answer := CustomerResponse{AdditionalEmails: c.membership.AdditionalBillingEmails}
	if c.membership.BillingEmail != nil {
		answer.Email = *c.membership.BillingEmail
	}
	return answer, nil
}

// updateCustomer keeps the addresses that somebody may want to write to, and no more: nobody is billed.
func (a *API) updateCustomer(ctx context.Context, c *call, in *updateCustomerInput) error {
	if in.Body.Address != nil || in.Body.TaxID != nil || in.Body.BillingName != nil {
		return problem.BadRequest("This is a self-hosted platform: nobody is billed, so no billing name, address or tax id is kept.")
	}
	if in.Body.DryRun || in.Body.AdditionalEmails == nil {
		return nil
	}
	_, err := a.store.UpdateOrganization(ctx, c.actor, c.membership.ID, store.OrganizationChange{
		AdditionalBillingEmails: in.Body.AdditionalEmails,
	})
	return err
}

// month returns the beginning of a time's calendar month and of the next one.
func month(now time.Time) (start, end time.Time) {
	now = now.UTC()
	start = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 1, 0)
}
