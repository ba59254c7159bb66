package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ContentFolder is a folder of somebody's own, in a project.
type ContentFolder struct {
	ID        uuid.UUID
	ProjectID int64
	OwnerID   int64
	ParentID  *uuid.UUID
	Name      string
	CreatedAt time.Time
}

const folderColumns = `id, project_id, owner_id, parent_id, name, created_at`

// ContentFolders lists the owner's folders in a parent, nil for those that are in none.
func (s *Store) ContentFolders(ctx context.Context, ownerID, projectID int64, parent *uuid.UUID, search string) ([]ContentFolder, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+folderColumns+` from platform.content_folders
		where project_id = $1 and owner_id = $2 and parent_id is not distinct from $3
			and ($4 = '' or strpos(lower(name), lower($4)) > 0) order by lower(name), id`, projectID, ownerID, parent, search)
	folders, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ContentFolder])
	return folders, wrap("list the folders", err)
}

// ContentFolderByID returns a folder of the owner's. ErrNotFound: there is none, or it is somebody else's.
func (s *Store) ContentFolderByID(ctx context.Context, ownerID, projectID int64, id uuid.UUID) (ContentFolder, error) {
	folder, err := folderByID(ctx, s.pool, ownerID, projectID, id)
	return folder, wrap("look the folder up", err)
}

func folderByID(ctx context.Context, q querier, ownerID, projectID int64, id uuid.UUID) (ContentFolder, error) {
	rows, _ := q.Query(ctx, `
		select `+folderColumns+` from platform.content_folders where id = $1 and project_id = $2 and owner_id = $3`, id, projectID, ownerID)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ContentFolder])
}

// CreateContentFolder makes a folder of the actor's own. ErrNotFound: the parent is not one.
func (s *Store) CreateContentFolder(ctx context.Context, actor Actor, project Project, parent *uuid.UUID, name string) (ContentFolder, error) {
	return write(ctx, s, actor, "make a folder", func(ctx context.Context, tx pgx.Tx) (ContentFolder, AuditEntry, error) {
		if parent != nil {
			if _, err := folderByID(ctx, tx, actor.ProfileID, project.ID, *parent); err != nil {
				return ContentFolder{}, AuditEntry{}, err
			}
		}
		id, err := uuid.NewRandomFromReader(s.random)
		if err != nil {
			return ContentFolder{}, AuditEntry{}, err
		}
		folder := ContentFolder{ID: id, ProjectID: project.ID, OwnerID: actor.ProfileID, ParentID: parent, Name: name, CreatedAt: s.now()}
		_, err = tx.Exec(ctx, `
			insert into platform.content_folders (id, project_id, owner_id, parent_id, name, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $6)`, id, project.ID, actor.ProfileID, parent, name, folder.CreatedAt)
		return folder, contentEntry(project, "create_folder", map[string]any{"id": id}), err
	})
}

// RenameContentFolder renames a folder of the actor's own. ErrNotFound: it is not one.
func (s *Store) RenameContentFolder(ctx context.Context, actor Actor, project Project, id uuid.UUID, name string) error {
	_, err := write(ctx, s, actor, "rename a folder", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		tag, err := tx.Exec(ctx, `
			update platform.content_folders set name = $4, updated_at = $5 where id = $1 and project_id = $2 and owner_id = $3`,
			id, project.ID, actor.ProfileID, name, s.now())
		return struct{}{}, contentEntry(project, "rename_folder", map[string]any{"id": id}), foundOne(tag.RowsAffected(), err)
	})
	return err
}

// DeleteContentFolders deletes folders of the actor's own with everything in them, all or none. ErrNotFound: one of them is
// not one.
func (s *Store) DeleteContentFolders(ctx context.Context, actor Actor, project Project, ids []uuid.UUID) error {
	_, err := write(ctx, s, actor, "delete folders", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		entry := contentEntry(project, "delete_folders", map[string]any{"ids": ids})
		var found int
		err := tx.QueryRow(ctx, `
			select count(*) from platform.content_folders where id = any ($1) and project_id = $2 and owner_id = $3`,
			ids, project.ID, actor.ProfileID).Scan(&found)
		if err == nil && found < len(ids) {
			err = ErrNotFound
		}
		if err == nil {
			_, err = tx.Exec(ctx, `delete from platform.content_folders where id = any ($1)`, ids)
		}
		return struct{}{}, entry, err
	})
	return err
}
