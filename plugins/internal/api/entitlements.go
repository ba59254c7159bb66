package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// ListEntitlementsResponse says what an organization may use.
type ListEntitlementsResponse struct {
	Entitlements []Entitlement `json:"entitlements"`
}

// Entitlement is what an organization may use of one feature. A key that is missing is no access to Studio.
type Entitlement struct {
	Feature   EntitlementFeature `json:"feature"`
	Type      string             `json:"type" enum:"boolean,numeric,set"`
	HasAccess bool               `json:"hasAccess"`
	Config    EntitlementConfig  `json:"config"`
}

// EntitlementFeature names a feature.
type EntitlementFeature struct {
	Key  string `json:"key"`
	Type string `json:"type" enum:"boolean,numeric,set"`
}

// EntitlementConfig says how much of it; which fields it has depends on the type.
type EntitlementConfig struct {
	Enabled   bool      `json:"enabled"`
	Unit      *string   `json:"unit,omitempty"`
	Unlimited *bool     `json:"unlimited,omitempty"`
	Value     *int64    `json:"value,omitempty" doc:"Unlimited or not, Studio calculates with it."`
	Set       *[]string `json:"set,omitempty"`
}

// The features that Studio knows (schema ListEntitlementsResponse of the platform's contract). Nothing of what a
// self-hosted platform has is sold in plans, so all are allowed; what it has not, its own endpoints say.
var (
	switches = []string{
		"instances.read_replicas", "instances.disk_modifications", "instances.high_availability", "instances.orioledb",
		"replication.etl", "storage.max_file_size.configurable", "storage.image_transformations", "storage.vector_buckets",
		"storage.iceberg_catalog", "security.questionnaire", "security.soc2_report", "security.iso27001_certificate",
		"security.private_link", "security.enforce_mfa", "custom_domain", "vanity_subdomain", "ipv4", "log_drains",
		"branching_persistent", "auth.mfa_phone", "auth.mfa_web_authn", "auth.mfa_enhanced_security", "auth.hooks",
		"auth.platform.sso", "auth.custom_jwt_template", "auth.saml_2", "auth.user_sessions",
		"auth.leaked_password_protection", "auth.advanced_auth_settings", "auth.performance_settings", "auth.password_hibp",
		"backup.restore_to_new_project", "project_scoped_roles", "project_pausing", "project_cloning",
		"project_restore_after_expiry", "assistant.advance_model", "integrations.github_connections", "dedicated_pooler",
	}
	sets = []string{
		"instances.compute_update_available_sizes", "pitr.available_variants", "security.member_roles",
		"observability.dashboard_advanced_metrics",
	}
	// The values are what Studio offers at most in each unit.
	limits = []struct {
		key, unit string
		value     int64
	}{
		{"storage.max_file_size", "bytes", 500 << 30},
		{"security.audit_logs_days", "days", 3650},
		{"log.retention_days", "days", 3650},
		{"backup.retention_days", "days", 3650},
		{"branching_limit", "count", 1000},
		{"function.max_count", "count", 1_000_000},
		{"function.size_limit_mb", "MB", 1_000_000},
		{"realtime.max_concurrent_users", "count", 1_000_000},
		{"realtime.max_events_per_second", "count", 1_000_000},
		{"realtime.max_joins_per_second", "count", 1_000_000},
		{"realtime.max_channels_per_client", "count", 1_000_000},
		{"realtime.max_bytes_per_second", "bytes", 1 << 40},
		{"realtime.max_presence_events_per_second", "count", 1_000_000},
		{"realtime.max_payload_size_in_kb", "KB", 1_000_000},
	}
)

var everyEntitlement = listEntitlements()

func listEntitlements() ListEntitlementsResponse {
	var all []Entitlement
	add := func(key, kind string, config EntitlementConfig) {
		all = append(all, Entitlement{Feature: EntitlementFeature{key, kind}, Type: kind, HasAccess: true, Config: config})
	}
	for _, key := range switches {
		add(key, "boolean", EntitlementConfig{Enabled: true})
	}
	for _, key := range sets {
		add(key, "set", EntitlementConfig{Enabled: true, Set: &[]string{}})
	}
	unlimited := true
	for _, limit := range limits {
		add(limit.key, "numeric", EntitlementConfig{Enabled: true, Unit: &limit.unit, Unlimited: &unlimited, Value: &limit.value})
	}
	return ListEntitlementsResponse{all}
}

type planFeaturesInput struct {
	FeatureKey string `query:"featureKey" doc:"One feature alone."`
}

// PlanFeature is what a plan has of one feature.
type PlanFeature struct {
	Type   string            `json:"type" enum:"boolean,numeric,set"`
	Config EntitlementConfig `json:"config"`
}

// planFeatures are the features of the plans that there are, by plan and feature: all of them, in the one.
func planFeatures(_ context.Context, _ *call, in *planFeaturesInput) (map[string]map[string]PlanFeature, error) {
	features := map[string]PlanFeature{}
	for _, one := range everyEntitlement.Entitlements {
		if in.FeatureKey == "" || in.FeatureKey == one.Feature.Key {
			features[one.Feature.Key] = PlanFeature{one.Type, one.Config}
		}
	}
	return map[string]map[string]PlanFeature{planID: features}, nil
}

func (a *API) registerEntitlements() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/plans/features", permission: access.SignedIn(),
		kind: Real, summary: "What the one plan has: everything",
	}, planFeatures)
	for _, path := range []string{"/platform/organizations/{slug}/entitlements", "/v1/organizations/{slug}/entitlements"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: access.InOrganization(access.Read, "organizations"),
			kind: Real, summary: "What the organization may use: everything",
		}, func(context.Context, *call, *SlugPath) (ListEntitlementsResponse, error) {
			return everyEntitlement, nil
		})
	}
}
