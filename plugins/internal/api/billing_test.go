package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestListsOfMoneyAreEmptyListsAndNothingIsInvented(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	organization := "/platform/organizations/" + w.place().slug
	for path, want := range map[string]string{
		organization + "/billing/invoices":                   `[]`,
		organization + "/payments":                           `{"data":[],"defaultPaymentMethodId":null}`,
		organization + "/tax-ids":                            `{"tax_id":null}`,
		organization + "/usage":                              `{"usage_billing_enabled":false,"usages":[]}`,
		organization + "/usage/daily":                        `{"usages":[]}`,
		organization + "/members/reached-free-project-limit": `[]`,
		"/platform/stripe/invoices/overdue":                  `[]`,
		organization + "/customer":                           `{"additional_emails":[],"balance":0,"billing_via_partner":false,"email":"user1@example.com","tax_id":null}`,
		organization + "/billing/plans":                      `{"plans":[{"id":"enterprise","name":"Self-hosted","price":0,"is_current":true,"change_type":"none"}]}`,
		organization + "/billing/subscription":               `{"plan":{"id":"enterprise","name":"Self-hosted"},"addons":[],"project_addons":[],"billing_cycle_anchor":0,"billing_via_partner":false,"current_period_start":1772323200,"current_period_end":1775001600,"next_invoice_at":0,"payment_method_type":"none","scheduled_plan_change":null,"usage_billing_enabled":false}`,
		organization + "/billing/invoices/upcoming":          `{"amount_total":0,"billing_cycle_start":"2026-03-01T00:00:00Z","billing_cycle_end":"2026-04-01T00:00:00Z","currency":"USD","customer_balance":0,"lines":[],"subscription_id":"","tax":null,"tax_status":"not_applicable"}`,
	} {
		require.JSONEq(t, want, w.succeed(w.as(store.RoleOwner), http.MethodGet, path, "").Body.String(), path)
	}
}

func TestBuyingIsRefusedInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	organization := "/platform/organizations/" + w.place().slug
	status, refusal := w.send(w.as(store.RoleOwner), http.MethodPut, organization+"/billing/subscription", `{"tier":"tier_pro"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, refusal["message"], "nothing is sold here")
	status, _ = w.send(w.as(store.RoleOwner), http.MethodPut, organization+"/customer", `{"tax_id":{"type":"eu_vat","value":"1"}}`)
	require.Equal(t, http.StatusBadRequest, status)
	w.succeed(w.as(store.RoleAdministrator), http.MethodPut, organization+"/customer", `{"additional_emails":["bills@example.com"]}`)
	_, customer := w.send(w.as(store.RoleOwner), http.MethodGet, organization+"/customer", "")
	require.Equal(t, []any{"bills@example.com"}, customer["additional_emails"])
}

func TestEveryFeatureIsAllowedWithTheConfigurationOfItsType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder := w.succeed(w.as(store.RoleReadOnly), http.MethodGet, "/platform/organizations/"+w.place().slug+"/entitlements", "")
	var answer ListEntitlementsResponse
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
	seen := map[string]bool{}
	for _, entitlement := range answer.Entitlements {
		require.True(t, entitlement.HasAccess, entitlement.Feature.Key)
		require.False(t, seen[entitlement.Feature.Key], "%s twice", entitlement.Feature.Key)
		seen[entitlement.Feature.Key] = true
		require.Equal(t, entitlement.Type == "numeric", entitlement.Config.Value != nil, entitlement.Feature.Key)
		require.Equal(t, entitlement.Type == "set", entitlement.Config.Set != nil, entitlement.Feature.Key)
	}
	require.Len(t, seen, 57, "as many as the contract has")
}
