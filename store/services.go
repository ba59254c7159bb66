package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

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
