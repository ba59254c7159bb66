// Package images names the images that projects run, in one place. Each can be overridden by a setting.
package images

import (
	"maps"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// defaults are the images that one version of the supabase CLI starts together (its pkg/config/templates/Dockerfile), by
// service.
var defaults = map[string]string{
	store.ServiceDatabase:  "supabase/postgres:17.6.1.132",
	store.ServiceAuth:      "supabase/gotrue:v2.189.0",
	store.ServiceRest:      "postgrest/postgrest:v14.12",
	store.ServiceRealtime:  "supabase/realtime:v2.102.1",
	store.ServiceStorage:   "supabase/storage-api:v1.60.2",
	store.ServiceImgproxy:  "darthsim/imgproxy:v3.8.0",
	store.ServiceFunctions: "supabase/edge-runtime:v1.74.0",
	store.ServicePooler:    "supabase/supavisor:2.9.5",
	store.ServiceAnalytics: "supabase/logflare:1.42.0",
}

// Default returns the image of a service where nobody names another one.
func Default(service string) string { return defaults[service] }

// Variable is the environment variable that names another image for a service: PLURABASE_AUTH_IMAGE.
func Variable(service string) string {
	if service == store.ServiceDatabase {
		return "PLURABASE_POSTGRES_IMAGE"
	}
	return "PLURABASE_" + strings.ToUpper(service) + "_IMAGE"
}

// Of returns the image of every service: the default, or what the environment names instead.
func Of(environment map[string]string) map[string]string {
	chosen := maps.Clone(defaults)
	for service := range chosen {
		if image := environment[Variable(service)]; image != "" {
			chosen[service] = image
		}
	}
	return chosen
}
