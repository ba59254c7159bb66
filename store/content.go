package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ContentType is what somebody keeps with a project.
type ContentType string

// The types, in Studio's words.
const (
	ContentSQL    ContentType = "sql"
	ContentReport ContentType = "report"
	ContentLogSQL ContentType = "log_sql"
)

// Visibility says who may see an item of content.
type Visibility string

// The visibilities that Studio gives.
const (
	VisibleToOwner   Visibility = "user"
	VisibleInProject Visibility = "project"
)

// Content is an item that somebody keeps with a project, as one of the members sees it.
type Content struct {
	ID          uuid.UUID
	ProjectID   int64
	ProjectName string
	OwnerID     int64
	OwnerName   string
	UpdatedBy   *int64  // nil: nobody but the owner, or the profile is gone
	UpdaterName *string // nil as UpdatedBy
	FolderID    *uuid.UUID
	Type        ContentType
	Name        string
	Description *string
	Visibility  Visibility
	Content     json.RawMessage
	Favorite    bool // of the member who looks
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ErrNotOwner says that an item of content is not the actor's to change.
var ErrNotOwner = errors.New("not the owner")

// ContentOrder is how a list of content is sorted.
type ContentOrder string

// The orders that Studio asks for.
const (
	ContentByName ContentOrder = "name"
	ContentByTime ContentOrder = "inserted_at"
)

// ContentCursor is the place in a sorted list after which the next page begins.
type ContentCursor struct {
	Name      string    `json:"n"`
	CreatedAt time.Time `json:"t"`
	ID        uuid.UUID `json:"i"`
}

// ContentFilter narrows a list of content. The zero value of each field means no narrowing.
type ContentFilter struct {
	ProjectID  int64
	Type       ContentType
	Visibility Visibility
	Favorite   bool
	Search     string     // part of the name, in any case
	Folder     *uuid.UUID // what lies in it alone
	Unfiled    bool       // what lies in no folder alone
	Order      ContentOrder
	Descending bool
	After      *ContentCursor
	Limit      int
}

// What is said of an item to the member @viewer.
const (
	contentColumns = `c.id, c.project_id, p.name, c.owner_id, o.username, c.updated_by, u.username, c.folder_id, c.type, c.name,
		c.description, c.visibility, c.content, f.content_id is not null, c.created_at, c.updated_at`
	contentTables = `
		platform.content c
		join platform.projects p on p.id = c.project_id
		join platform.profiles o on o.id = c.owner_id
		left join platform.profiles u on u.id = c.updated_by
		left join platform.content_favorites f on f.content_id = c.id and f.profile_id = @viewer`
	contentVisible = `(c.owner_id = @viewer or c.visibility <> 'user')`
)

// contentKeys are what lists are sorted by; the id makes the order a total one.
var contentKeys = map[ContentOrder]struct{ column, cursor string }{
	ContentByName: {"lower(c.name)", "lower(@after_name)"},
	ContentByTime: {"c.created_at", "@after_time::timestamptz"},
}

// ListContent lists what the viewer may see of a project's content, and where the next page begins: nil after the last one.
// That the viewer may see the project was checked before.
func (s *Store) ListContent(ctx context.Context, viewerID int64, filter ContentFilter) ([]Content, *ContentCursor, error) {
	found, next, err := s.contentPage(ctx, `c.project_id = @project`, viewerID, filter, pgx.NamedArgs{"project": filter.ProjectID})
	return found, next, wrap("list the content", err)
}

// ListSnippets is ListContent for the snippets of all the projects that the viewer may see, or of one of them.
func (s *Store) ListSnippets(ctx context.Context, viewer Viewer, limits *TokenLimits, filter ContentFilter) ([]Content, *ContentCursor, error) {
	filter.Type = ContentSQL
	found, next, err := s.contentPage(ctx, `(@project = 0 or c.project_id = @project) and `+inVisibleProjects, viewer.ProfileID, filter,
		visibleProjectsArguments(viewer, limits, filter.ProjectID))
	return found, next, wrap("list the snippets", err)
}

// inVisibleProjects holds for content of the projects that the viewer may see.
const inVisibleProjects = `
	c.project_id in (
		select p.id from ` + visibleProjects + `
			and m.profile_id = @viewer and not (@without_mfa and o.mfa_required)
			and (not @limited or o.id = any (@organizations) or p.id = any (@projects)))`

func visibleProjectsArguments(viewer Viewer, limits *TokenLimits, projectID int64) pgx.NamedArgs {
	return pgx.NamedArgs{
		"viewer": viewer.ProfileID, "project": projectID, "without_mfa": viewer.WithoutMFA, "limited": limits.limited(),
		"organizations": limits.organizations(), "projects": limits.projects(),
	}
}

func (s *Store) contentPage(ctx context.Context, scope string, viewerID int64, filter ContentFilter, arguments pgx.NamedArgs) ([]Content, *ContentCursor, error) {
	key, known := contentKeys[filter.Order]
	if !known {
		key = contentKeys[ContentByTime]
	}
	direction, beyond := "", ">"
	if filter.Descending {
		direction, beyond = " desc", "<"
	}
	conditions := []string{scope, contentVisible}
	if filter.After != nil {
		conditions = append(conditions, "("+key.column+", c.id) "+beyond+" ("+key.cursor+", @after_id::uuid)")
		arguments["after_name"], arguments["after_time"], arguments["after_id"] = filter.After.Name, filter.After.CreatedAt, filter.After.ID
	}
	arguments["viewer"], arguments["type"], arguments["visibility"], arguments["favorite"] = viewerID, filter.Type, filter.Visibility, filter.Favorite
	arguments["search"], arguments["folder"], arguments["unfiled"], arguments["limit"] = filter.Search, filter.Folder, filter.Unfiled, filter.Limit+1
	rows, _ := s.pool.Query(ctx, `
		select `+contentColumns+` from `+contentTables+`
		where `+strings.Join(conditions, " and ")+`
			and (@type = '' or c.type = @type)
			and (@visibility = '' or c.visibility = @visibility)
			and (not @favorite or f.content_id is not null)
			and (@search = '' or strpos(lower(c.name), lower(@search)) > 0)
			and (@folder::uuid is null or c.folder_id = @folder)
			and (not @unfiled or c.folder_id is null)
		order by `+key.column+direction+`, c.id`+direction+` limit @limit`, arguments)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Content])
	if err != nil || len(found) <= filter.Limit {
		return found, nil, err
	}
	found = found[:filter.Limit]
	last := found[len(found)-1]
	return found, &ContentCursor{last.Name, last.CreatedAt, last.ID}, nil
}

// ContentByID returns an item of a project. ErrNotFound: there is none, or the viewer may not see it.
func (s *Store) ContentByID(ctx context.Context, viewerID, projectID int64, id uuid.UUID) (Content, error) {
	found, err := contentByID(ctx, s.pool, viewerID, projectID, id)
	return found, wrap("look the content up", err)
}

func contentByID(ctx context.Context, q querier, viewerID, projectID int64, id uuid.UUID) (Content, error) {
	rows, _ := q.Query(ctx, `
		select `+contentColumns+` from `+contentTables+`
		where c.id = @id and c.project_id = @project and `+contentVisible, pgx.NamedArgs{"viewer": viewerID, "project": projectID, "id": id})
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Content])
}

// SnippetByID returns a snippet of any project that the viewer may see. ErrNotFound: there is none, or the viewer may not see
// it.
func (s *Store) SnippetByID(ctx context.Context, viewer Viewer, limits *TokenLimits, id uuid.UUID) (Content, error) {
	arguments := visibleProjectsArguments(viewer, limits, 0)
	arguments["id"] = id
	rows, _ := s.pool.Query(ctx, `
		select `+contentColumns+` from `+contentTables+`
		where c.id = @id and c.type = 'sql' and `+contentVisible+` and `+inVisibleProjects, arguments)
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Content])
	return found, wrap("look the snippet up", err)
}

// ContentCount says how much there is for one of the members.
type ContentCount struct{ Private, Shared, Favorites int64 }

// CountContent counts what the viewer may see of a project's content.
func (s *Store) CountContent(ctx context.Context, viewerID int64, filter ContentFilter) (ContentCount, error) {
	var count ContentCount
	err := s.pool.QueryRow(ctx, `
		select count(*) filter (where c.visibility = 'user'), count(*) filter (where c.visibility <> 'user'),
			count(*) filter (where f.content_id is not null)
		from `+contentTables+`
		where c.project_id = @project and `+contentVisible+`
			and (@type = '' or c.type = @type) and (@search = '' or strpos(lower(c.name), lower(@search)) > 0)`,
		pgx.NamedArgs{"viewer": viewerID, "project": filter.ProjectID, "type": filter.Type, "search": filter.Search},
	).Scan(&count.Private, &count.Shared, &count.Favorites)
	return count, wrap("count the content", err)
}

// ContentChange is what an item should be. What is nil stays as it is.
type ContentChange struct {
	ID          uuid.UUID // the zero value: of an item that is to be made, with an id of the store's choice
	Type        ContentType
	Name        string
	Visibility  Visibility
	Description *string
	Content     json.RawMessage
	Favorite    *bool
	Folder      **uuid.UUID // nil inside: in no folder
}

// SaveContent makes an item, or changes it where there is one, and returns it without its content. Only its owner may change one, but that a shared report is
// everybody's who may see it; who it is visible to, its owner alone says. ErrNotOwner: it is somebody else's. ErrNotFound: the
// id is one of an item that the actor may not see, or the folder is not one of the actor's own.
func (s *Store) SaveContent(ctx context.Context, actor Actor, project Project, change ContentChange) (Content, error) {
	return write(ctx, s, actor, "save the content", func(ctx context.Context, tx pgx.Tx) (Content, AuditEntry, error) {
		var err error
		if change.ID == uuid.Nil {
			if change.ID, err = uuid.NewRandomFromReader(s.random); err != nil {
				return Content{}, AuditEntry{}, err
			}
		}
		if err = s.saveContent(ctx, tx, actor, project, change); err != nil {
			return Content{}, AuditEntry{}, err
		}
		if err = favorContent(ctx, tx, actor, change); err != nil {
			return Content{}, AuditEntry{}, err
		}
		saved, err := contentByID(ctx, tx, actor.ProfileID, project.ID, change.ID)
		saved.Content = nil // whoever saves has it, and it is too much to keep with the answer
		return saved, contentEntry(project, "save", map[string]any{"id": change.ID, "type": saved.Type}), err
	})
}

func contentEntry(project Project, verb string, details map[string]any) AuditEntry {
	return AuditEntry{Action: "content." + verb, OrganizationID: project.OrganizationID, ProjectRef: project.Ref, Details: details}
}

// saveContent tries to make the item first: what two requests make at once, one makes and the other changes.
func (s *Store) saveContent(ctx context.Context, tx pgx.Tx, actor Actor, project Project, change ContentChange) error {
	folder, err := folderOf(ctx, tx, actor, project, change)
	if err != nil {
		return err
	}
	content := change.Content
	if content == nil {
		content = json.RawMessage("{}")
	}
	tag, err := tx.Exec(ctx, `
		insert into platform.content
			(id, project_id, owner_id, updated_by, folder_id, type, name, description, visibility, content, created_at, updated_at)
		values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $10) on conflict (id) do nothing`,
		change.ID, project.ID, actor.ProfileID, folder, change.Type, change.Name, change.Description, change.Visibility, content, s.now())
	switch {
	case holdsNUL(err):
		return errNUL
	case err != nil || tag.RowsAffected() == 1:
		return err
	}
	return s.updateContent(ctx, tx, actor, project, change, folder)
}

func (s *Store) updateContent(ctx context.Context, tx pgx.Tx, actor Actor, project Project, change ContentChange, folder *uuid.UUID) error {
	var ownerID int64
	var visibility Visibility
	var of ContentType
	err := tx.QueryRow(ctx, `
		select c.owner_id, c.visibility, c.type from platform.content c
		where c.id = @id and c.project_id = @project and `+contentVisible+` for update`,
		pgx.NamedArgs{"id": change.ID, "project": project.ID, "viewer": actor.ProfileID}).Scan(&ownerID, &visibility, &of)
	if err != nil {
		return err
	}
	if of != change.Type {
		return &ConflictError{"What is kept under this id is of another type."}
	}
	if ownerID != actor.ProfileID {
		if of != ContentReport || visibility != change.Visibility {
			return ErrNotOwner
		}
		change.Folder = nil
	}
	_, err = tx.Exec(ctx, `
		update platform.content set name = $2, description = coalesce($3, description), visibility = $4,
			content = coalesce($5, content), folder_id = case when $6 then $7::uuid when $4 = 'user' then folder_id end,
			updated_by = $8, updated_at = $9
		where id = $1`,
		change.ID, change.Name, change.Description, change.Visibility, change.Content, change.Folder != nil, folder,
		actor.ProfileID, s.now())
	return err
}

// errNUL refuses what holdsNUL.
var errNUL = &ConflictError{"The content holds the character U+0000, which cannot be kept."}

// holdsNUL tells whether Postgres refused JSON for the one character that jsonb cannot hold (SQLSTATE 22P05).
func holdsNUL(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "22P05"
}

// folderOf checks that the folder is one of the actor's own. What is shared lies in none.
func folderOf(ctx context.Context, tx pgx.Tx, actor Actor, project Project, change ContentChange) (*uuid.UUID, error) {
	if change.Folder == nil || *change.Folder == nil || change.Visibility != VisibleToOwner {
		return nil, nil
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `select id from platform.content_folders where id = $1 and project_id = $2 and owner_id = $3 for share`,
		**change.Folder, project.ID, actor.ProfileID).Scan(&id)
	return &id, err
}

func favorContent(ctx context.Context, tx pgx.Tx, actor Actor, change ContentChange) error {
	if change.Favorite == nil {
		return nil
	}
	statement := `delete from platform.content_favorites where content_id = $1 and profile_id = $2`
	if *change.Favorite {
		statement = `insert into platform.content_favorites (content_id, profile_id) values ($1, $2) on conflict do nothing`
	}
	_, err := tx.Exec(ctx, statement, change.ID, actor.ProfileID)
	return err
}

// DeleteContent deletes items of a project, all or none. Who may change an item's content may delete it. ErrNotFound: one of
// them is not there, or the actor may not see it. ErrNotOwner: one of them is somebody else's.
func (s *Store) DeleteContent(ctx context.Context, actor Actor, project Project, ids []uuid.UUID) error {
	_, err := write(ctx, s, actor, "delete content", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		entry := contentEntry(project, "delete", map[string]any{"ids": ids})
		rows, _ := tx.Query(ctx, `
			select c.id, c.owner_id = @viewer or c.type = 'report' from platform.content c
			where c.id = any (@ids) and c.project_id = @project and `+contentVisible+` for update`,
			pgx.NamedArgs{"ids": ids, "project": project.ID, "viewer": actor.ProfileID})
		type item struct {
			ID   uuid.UUID
			Mine bool
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[item])
		if err != nil {
			return struct{}{}, entry, err
		}
		if len(found) < len(ids) {
			return struct{}{}, entry, ErrNotFound
		}
		for _, one := range found {
			if !one.Mine {
				return struct{}{}, entry, ErrNotOwner
			}
		}
		_, err = tx.Exec(ctx, `delete from platform.content where id = any ($1)`, ids)
		return struct{}{}, entry, err
	})
	return err
}
