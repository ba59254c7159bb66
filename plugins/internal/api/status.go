package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// PlatformStatus says that the platform works.
type PlatformStatus struct {
	Status string `json:"status" enum:"ok"`
}

func (a *API) registerStatus() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/status", permission: access.Anyone(),
		kind: Real, summary: "Whether the platform works: 503 where its database cannot be reached",
	}, func(ctx context.Context, _ *call, _ *none) (PlatformStatus, error) {
		return PlatformStatus{Status: "ok"}, a.store.Ping(ctx)
	})
}
