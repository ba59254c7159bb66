package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The services that a project can have.
const (
	ServiceDatabase  = "db"
	ServiceAuth      = "auth"
	ServiceRest      = "rest"
	ServiceRealtime  = "realtime"
	ServiceStorage   = "storage"
	ServiceImgproxy  = "imgproxy"
	ServiceFunctions = "functions"
	ServicePooler    = "pooler"
	ServiceAnalytics = "analytics"
)

// RealtimeTenant is what a project's Realtime calls its one tenant. Realtime goes by the first label of the host that it is
// asked by, so whoever asks it and whoever sets it up have to agree.
const RealtimeTenant = "realtime-dev"

// AllServices is every service that a project can have.
var AllServices = []string{
	ServiceDatabase, ServiceAuth, ServiceRest, ServiceRealtime, ServiceStorage, ServiceImgproxy, ServiceFunctions,
	ServicePooler, ServiceAnalytics,
}

// DefaultServices is what a project has where nobody decides.
var DefaultServices = []string{
	ServiceDatabase, ServiceAuth, ServiceRest, ServiceRealtime, ServiceStorage, ServiceImgproxy, ServiceFunctions,
}

// CheckServices says in plain words what is wrong with a choice of services; nil when it can be had.
func CheckServices(services []string) error {
	for i, service := range services {
		switch {
		case !slices.Contains(AllServices, service):
			return &ConflictError{fmt.Sprintf("There is no service %q.", service)}
		case slices.Contains(services[:i], service):
			return &ConflictError{fmt.Sprintf("The service %q is named twice.", service)}
		}
	}
	switch {
	case !slices.Contains(services, ServiceDatabase):
		return &ConflictError{"A project cannot do without its database."}
	case slices.Contains(services, ServiceImgproxy) && !slices.Contains(services, ServiceStorage):
		return &ConflictError{"The service imgproxy is of no use without storage."}
	}
	return nil
}

// ServiceState is one of a project's services as the provisioner last saw it.
type ServiceState struct {
	Service string // `auth`
	Host    string // where the gateway reaches it; an address
	Port    int32
	Image   string
	Healthy bool
	Message *string // why it is not healthy, in plain words
	SeenAt  time.Time
}

// ProjectServices lists the services that a project has, by name. None until they were first seen.
func (s *Store) ProjectServices(ctx context.Context, projectID int64) ([]ServiceState, error) {
	rows, _ := s.pool.Query(ctx, `
		select service, host, port, image, healthy, message, seen_at from platform.project_services
		where project_id = $1 order by service`, projectID)
	services, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ServiceState])
	return services, wrap("list the project's services", err)
}
