package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What follows changes what a project is made of. Each takes effect at once where the project runs, and when it is started
// again where it is paused or failed; a ConflictError says that the project is busy, or that it cannot be had.

// ResizeProject gives a project another compute size.
func (s *Store) ResizeProject(ctx context.Context, actor Actor, ref Ref, computeSize string) (Project, error) {
	details := map[string]any{"compute_size": computeSize}
	return s.changeLocked(ctx, actor, ref, "resize", details, func(tx pgx.Tx, project Project) (Project, error) {
		size, known := ComputeSizeNamed(computeSize)
		if !known {
			return Project{}, &ConflictError{fmt.Sprintf("There is no compute size %q.", computeSize)}
		}
		_, err := tx.Exec(ctx, `update platform.projects set compute_size = $2 where id = $1`, project.ID, size.Name)
		if err != nil {
			return Project{}, err
		}
		project.ComputeSize = size.Name
		return s.takeUp(ctx, tx, actor, project, OperationResize)
	})
}

// ChangeServices decides which services a project has. What is left out loses its container and keeps its volume.
func (s *Store) ChangeServices(ctx context.Context, actor Actor, ref Ref, services []string) (Project, error) {
	details := map[string]any{"services": services}
	return s.changeLocked(ctx, actor, ref, "services", details, func(tx pgx.Tx, project Project) (Project, error) {
		if err := CheckServices(services); err != nil {
			return Project{}, err
		}
		_, err := tx.Exec(ctx, `update platform.projects set services = $2 where id = $1`, project.ID, services)
		if err != nil {
			return Project{}, err
		}
		project.Services = services
		return s.takeUp(ctx, tx, actor, project, OperationConfigure)
	})
}

// RestartServices restarts the named services of a project that runs, its database alone for one; all where none is named.
func (s *Store) RestartServices(ctx context.Context, actor Actor, ref Ref, services ...string) (Project, error) {
	details := map[string]any{"services": services}
	return s.changeLocked(ctx, actor, ref, "restart", details, func(tx pgx.Tx, project Project) (Project, error) {
		for _, service := range services {
			if !slices.Contains(project.Services, service) {
				return Project{}, &ConflictError{fmt.Sprintf("The project has no service %q.", service)}
			}
		}
		return s.advance(ctx, tx, actor, project, OperationRestart, services)
	})
}

// ChangeDatabasePassword gives the database's roles another password, and the services with it.
func (s *Store) ChangeDatabasePassword(ctx context.Context, actor Actor, ref Ref, password string) (Project, error) {
	return s.changeLocked(ctx, actor, ref, "database-password", nil, func(tx pgx.Tx, project Project) (Project, error) {
		if err := s.replaceSecrets(ctx, tx, project, Secrets{SecretDatabasePassword: password}); err != nil {
			return Project{}, err
		}
		return s.takeUp(ctx, tx, actor, project, OperationConfigure)
	})
}

// APIKeys are a project's legacy API keys.
type APIKeys struct {
	AnonKey    string
	ServiceKey string
}

// RotateJWTSecret gives a project another JWT secret, a new random one where it is empty, and signs its legacy API keys
// anew. Every session and key that the old one signed ends. LastRotation finds what becomes of it, by trackingID.
func (s *Store) RotateJWTSecret(ctx context.Context, actor Actor, ref Ref, jwtSecret, trackingID string) (APIKeys, error) {
	return write(ctx, s, actor, "rotate the JWT secret", func(ctx context.Context, tx pgx.Tx) (APIKeys, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return APIKeys{}, AuditEntry{}, err
		}
		if err := refuseSigningKeys(ctx, tx, project.ID); err != nil {
			return APIKeys{}, AuditEntry{}, err
		}
		if jwtSecret == "" {
			if jwtSecret, err = newHex(s.random, 32); err != nil {
				return APIKeys{}, AuditEntry{}, err
			}
		}
		secrets, err := newAPIKeys(ref, jwtSecret, s.now())
		if err != nil {
			return APIKeys{}, AuditEntry{}, err
		}
		if err := s.replaceSecrets(ctx, tx, project, secrets); err != nil {
			return APIKeys{}, AuditEntry{}, err
		}
		changed, err := s.takeUp(ctx, tx, actor, project, OperationConfigure)
		if err != nil {
			return APIKeys{}, AuditEntry{}, err
		}
		if changed.Generation > project.Generation { // something runs that takes it up
			_, err = tx.Exec(ctx, `update platform.operations set tracking_id = $3 where project_id = $1 and generation = $2`,
				project.ID, changed.Generation, trackingID)
		}
		entry := AuditEntry{Action: "projects.jwt-secret", OrganizationID: project.OrganizationID, ProjectRef: ref}
		return APIKeys{secrets[SecretAnonKey], secrets[SecretServiceKey]}, entry, err
	})
}

// refuseSigningKeys refuses to replace the JWT secret of a project that signs with keys of its own: there it is one of them,
// and is retired as they are.
func refuseSigningKeys(ctx context.Context, q querier, projectID int64) error {
	keys, err := signingKeys(ctx, q, projectID)
	if err == nil && len(keys) > 0 {
		err = &ConflictError{"The project has JWT signing keys: rotate to a standby key, then revoke the legacy JWT secret."}
	}
	return err
}

// Upgrade is a service of a project whose target offers another version.
type Upgrade struct {
	Service string
	From    string // images
	To      string
}

// ProjectUpgrades lists what UpgradeProject would change; none where the project has what its target offers.
func (s *Store) ProjectUpgrades(ctx context.Context, projectID int64) ([]Upgrade, error) {
	upgrades, err := projectUpgrades(ctx, s.pool, projectID)
	return upgrades, wrap("list the project's upgrades", err)
}

func projectUpgrades(ctx context.Context, q querier, projectID int64) ([]Upgrade, error) {
	rows, _ := q.Query(ctx, `
		select i.service, i.image, t.images ->> i.service
		from platform.projects p
			join platform.project_images i on i.project_id = p.id and i.service = any (p.services)
			join platform.targets t on t.name = p.target
		where p.id = $1 and i.image <> t.images ->> i.service
		order by i.service`, projectID)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Upgrade])
}

// ProjectImage returns the image that one of a project's services runs; empty where it has none yet.
func (s *Store) ProjectImage(ctx context.Context, projectID int64, service string) (image string, err error) {
	err = s.pool.QueryRow(ctx, `select image from platform.project_images where project_id = $1 and service = $2`,
		projectID, service).Scan(&image)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return image, wrap("look the service's image up", err)
}

// UpgradeProject brings every service of a healthy project to the version that its target offers. Where the new ones do
// not become healthy, the provisioner puts the versions before back. Between major versions of Postgres there is no such
// way: the files of one cannot be read by another.
func (s *Store) UpgradeProject(ctx context.Context, actor Actor, ref Ref) (Project, error) {
	return s.changeLocked(ctx, actor, ref, "upgrade", nil, func(tx pgx.Tx, project Project) (Project, error) {
		if _, _, err := next(OperationUpgrade, project.Status); err != nil {
			return Project{}, err
		}
		upgrades, err := projectUpgrades(ctx, tx, project.ID)
		if err != nil {
			return Project{}, err
		}
		if len(upgrades) == 0 {
			return Project{}, &ConflictError{"The project already has the versions that its deployment target offers."}
		}
		for _, upgrade := range upgrades {
			if err := upgrade.Check(); err != nil {
				return Project{}, err
			}
			_, err := tx.Exec(ctx, `
				update platform.project_images set previous = image, image = $3 where project_id = $1 and service = $2`,
				project.ID, upgrade.Service, upgrade.To)
			if err != nil {
				return Project{}, err
			}
		}
		return s.advance(ctx, tx, actor, project, OperationUpgrade, nil)
	})
}

// Check refuses, with a ConflictError, what no change of an image can do.
func (u Upgrade) Check() error {
	from, to := MajorVersion(u.From), MajorVersion(u.To)
	if u.Service == ServiceDatabase && from != "" && to != "" && from != to {
		return &ConflictError{fmt.Sprintf(
			"Postgres %s cannot be upgraded to %s in place: restore a backup into a new project.", from, to)}
	}
	return nil
}

// leadingNumber is 17 in `17.6.1.132`.
var leadingNumber = regexp.MustCompile(`^\d+`)

// MajorVersion is the number that an image's tag begins with; empty where it begins with something else.
func MajorVersion(image string) string {
	_, tag, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	return leadingNumber.FindString(tag)
}

// changeLocked runs a change on a locked project, and notes it in the audit log.
func (s *Store) changeLocked(ctx context.Context, actor Actor, ref Ref, action string, details map[string]any,
	change func(pgx.Tx, Project) (Project, error),
) (Project, error) {
	return write(ctx, s, actor, action+" the project", func(ctx context.Context, tx pgx.Tx) (Project, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Project{}, AuditEntry{}, err
		}
		entry := AuditEntry{Action: "projects." + action, OrganizationID: project.OrganizationID, ProjectRef: ref, Details: details}
		project, err = change(tx, project)
		return project, entry, err
	})
}
