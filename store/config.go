package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ConfigSection names a part of a project's configuration, one for each service that has settings.
type ConfigSection string

// The sections. What a section's settings are called is said where they are made into a service's environment
// (provisioner/internal/stack); an absent setting has the default that stands there.
const (
	ConfigAuth            ConfigSection = "auth"             // GoTrue's own names without GOTRUE_: `SITE_URL`
	ConfigPostgrest       ConfigSection = "postgrest"        // as the API has them: `db_schema`, `max_rows`
	ConfigRealtime        ConfigSection = "realtime"         // as the API has them
	ConfigStorage         ConfigSection = "storage"          // as the API has them: `fileSizeLimit`
	ConfigPooler          ConfigSection = "pooler"           // as the API has them: `pool_mode`, `default_pool_size`
	ConfigPostgres        ConfigSection = "postgres"         // Postgres' own names: `max_connections`
	ConfigFunctionSecrets ConfigSection = "function_secrets" // the environment of the project's edge functions
)

// SectionConfig is the settings of one section, by name. A value is what JSON can hold. They may hold secrets and print as a placeholder.
type SectionConfig map[string]any

// String hides the values from logs and error messages.
func (SectionConfig) String() string { return "[configuration]" }

// GoString hides the values from %#v.
func (c SectionConfig) GoString() string { return c.String() }

// ProjectConfig opens sections of a project's configuration: the named ones, or all of them where none is named. A
// section in which nothing was ever set is nil.
func (s *Store) ProjectConfig(ctx context.Context, projectID int64, ref Ref, sections ...ConfigSection) (map[ConfigSection]SectionConfig, error) {
	config, err := s.projectConfig(ctx, s.pool, projectID, ref, sections...)
	return config, wrap("read the project's configuration", err)
}

func (s *Store) projectConfig(ctx context.Context, q querier, projectID int64, ref Ref, sections ...ConfigSection) (map[ConfigSection]SectionConfig, error) {
	rows, _ := q.Query(ctx, `
		select k.master_key_id, k.wrapped, c.section, c.sealed
		from platform.project_keys k join platform.project_config c using (project_id)
		where project_id = $1 and (cardinality($2::text[]) = 0 or c.section = any ($2))`, projectID, append([]ConfigSection{}, sections...))
	var key wrappedKey
	var section ConfigSection
	var bytes []byte
	sealed := map[ConfigSection][]byte{}
	_, err := pgx.ForEachRow(rows, []any{&key.masterKeyID, &key.wrapped, &section, &bytes}, func() error {
		sealed[section] = bytes
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.openConfig(ref, key, sealed)
}

func (s *Store) openConfig(ref Ref, key wrappedKey, sealed map[ConfigSection][]byte) (map[ConfigSection]SectionConfig, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	dataKey, err := s.sealer.unwrapDataKey(ref, key.masterKeyID, key.wrapped)
	if err != nil {
		return nil, err
	}
	config := make(map[ConfigSection]SectionConfig, len(sealed))
	for section, one := range sealed {
		plain, err := s.sealer.unseal(dataKey, ref, configSecret(section), one)
		if err != nil {
			return nil, fmt.Errorf("open the section %s: %w", section, err)
		}
		var settings SectionConfig
		if err := json.Unmarshal(plain, &settings); err != nil {
			return nil, fmt.Errorf("read the section %s: %w", section, err)
		}
		config[section] = settings
	}
	return config, nil
}

// ProjectConfigByRef opens one section of a project's configuration, whoever asks. ErrNotFound: there is no such project.
func (s *Store) ProjectConfigByRef(ctx context.Context, ref Ref, section ConfigSection) (SectionConfig, error) {
	project, err := s.readProject(ctx, ref)
	if err != nil {
		return nil, err
	}
	config, err := s.ProjectConfig(ctx, project.ID, ref, section)
	return config[section], err
}

// UpdateProjectConfig changes settings of one section: a value sets one, nil takes one back to its default, what is not
// named stays. A project that runs takes them up at once (OperationConfigure); one that is paused or failed, when it is
// started again; one that is busy refuses with a ConflictError. It returns the whole section as it is now.
func (s *Store) UpdateProjectConfig(ctx context.Context, actor Actor, ref Ref, section ConfigSection, patch SectionConfig) (SectionConfig, error) {
	return s.configureProject(ctx, actor, ref, section, patch, false)
}

// ReplaceProjectConfig is UpdateProjectConfig, but for what is not named, which is taken back to its default.
func (s *Store) ReplaceProjectConfig(ctx context.Context, actor Actor, ref Ref, section ConfigSection, settings SectionConfig) (SectionConfig, error) {
	return s.configureProject(ctx, actor, ref, section, settings, true)
}

func (s *Store) configureProject(
	ctx context.Context, actor Actor, ref Ref, section ConfigSection, patch SectionConfig, replace bool,
) (SectionConfig, error) {
	return write(ctx, s, actor, "configure the project", func(ctx context.Context, tx pgx.Tx) (SectionConfig, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return nil, AuditEntry{}, err
		}
		config, err := s.projectConfig(ctx, tx, project.ID, ref, section)
		if err != nil {
			return nil, AuditEntry{}, err
		}
		settings, names := patched(config[section], patch, replace)
		if err := s.writeSection(ctx, tx, project, section, settings); err != nil {
			return nil, AuditEntry{}, err
		}
		if _, err := s.takeUp(ctx, tx, actor, project, OperationConfigure); err != nil {
			return nil, AuditEntry{}, err
		}
		return settings, AuditEntry{
			Action: "projects.configure", OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"section": section, "settings": names}, // never the values: some are secrets
		}, nil
	})
}

// patched returns a section as a patch leaves it, and the names of what is said of it.
func patched(before, patch SectionConfig, replace bool) (settings SectionConfig, names []string) {
	settings = SectionConfig{}
	if replace {
		for name := range before {
			if _, named := patch[name]; !named {
				names = append(names, name)
			}
		}
	} else {
		maps.Copy(settings, before)
	}
	maps.Copy(settings, patch)
	maps.DeleteFunc(settings, func(_ string, value any) bool { return value == nil })
	names = slices.AppendSeq(names, maps.Keys(patch))
	slices.Sort(names)
	return settings, names
}

func (s *Store) writeSection(ctx context.Context, tx pgx.Tx, project Project, section ConfigSection, settings SectionConfig) error {
	plain, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("encode the section: %w", err)
	}
	dataKey, err := s.dataKey(ctx, tx, project)
	if err != nil {
		return err
	}
	sealed, err := s.sealer.seal(dataKey, project.Ref, configSecret(section), plain)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into platform.project_config (project_id, section, sealed, updated_at) values ($1, $2, $3, $4)
		on conflict (project_id, section) do update set sealed = excluded.sealed, updated_at = excluded.updated_at`,
		project.ID, section, sealed, s.now())
	return err
}

// configSecret is the name that a sealed section is bound to.
func configSecret(section ConfigSection) string { return "config/" + string(section) }
