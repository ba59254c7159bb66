package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ContentFolder is a folder of your own.
type ContentFolder struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	ProjectID int64      `json:"project_id"`
	OwnerID   int64      `json:"owner_id"`
	ParentID  *uuid.UUID `json:"parent_id" format:"uuid"`
	Name      string     `json:"name"`
}

// ContentFolderResponse is one page of what lies in a folder. The folders in it come with the first page.
type ContentFolderResponse struct {
	Data   ContentFolderData `json:"data"`
	Cursor string            `json:"cursor,omitempty"`
}

// ContentFolderData is what lies in a folder.
type ContentFolderData struct {
	Folders  []ContentFolder `json:"folders"`
	Contents []ContentEntry  `json:"contents"`
}

// CreateContentFolderBody is a new folder. Studio names its parent in another way than the contract does: both are taken.
type CreateContentFolderBody struct {
	Name         string     `json:"name" minLength:"1" maxLength:"256" pattern:"^[^\\x00]*$" patternDescription:"no null characters"`
	ParentID     *uuid.UUID `json:"parent_id,omitempty" format:"uuid"`
	StudioParent *uuid.UUID `json:"parentId,omitempty" format:"uuid"`
}

type createContentFolderInput struct {
	Ref  string `path:"ref"`
	Body CreateContentFolderBody
}

// UpdateContentFolderBody is a folder's new name.
type UpdateContentFolderBody struct {
	Name string `json:"name" minLength:"1" maxLength:"256" pattern:"^[^\\x00]*$" patternDescription:"no null characters"`
}

type updateContentFolderInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id" format:"uuid"`
	Body UpdateContentFolderBody
}

type listFoldersInput struct {
	Ref string `path:"ref"`
	ContentPage
	Type       string `query:"type" enum:"sql,report,log_sql"`
	Visibility string `query:"visibility" enum:"user,project,org,public"`
}

type getFolderInput struct {
	Ref string `path:"ref"`
	ID  string `path:"id" format:"uuid"`
	ContentPage
}

func (a *API) registerContentFolders() {
	const folders = "/platform/projects/{ref}/content/folders"
	read := access.InProject(access.Read, "user_content")
	handle(a, route{
		method: http.MethodGet, path: folders, permission: read, kind: Real, summary: "Your folders, and what lies in none",
	}, a.listFolders)
	handle(a, route{
		method: http.MethodPost, path: folders, permission: access.InProject(access.Create, "user_content"),
		status: http.StatusCreated, kind: Real, summary: "Make a folder",
	}, a.createFolder)
	act(a, route{
		method: http.MethodDelete, path: folders, permission: access.InProject(access.Delete, "user_content"),
		kind: Real, summary: "Delete folders with everything in them",
	}, a.deleteFolders)
	handle(a, route{
		method: http.MethodGet, path: folders + "/{id}", permission: read, kind: Real, summary: "What lies in a folder",
	}, a.getFolder)
	act(a, route{
		method: http.MethodPatch, path: folders + "/{id}", permission: access.InProject(access.Update, "user_content"),
		kind: Real, summary: "Rename a folder",
	}, a.renameFolder)
}

func (a *API) listFolders(ctx context.Context, c *call, in *listFoldersInput) (ContentFolderResponse, error) {
	filter, err := in.filter()
	if err != nil {
		return ContentFolderResponse{}, err
	}
	filter.Unfiled, filter.Type, filter.Visibility = true, store.ContentType(in.Type), store.Visibility(in.Visibility)
	return a.folderPage(ctx, c, nil, filter)
}

func (a *API) getFolder(ctx context.Context, c *call, in *getFolderInput) (ContentFolderResponse, error) {
	filter, err := in.filter()
	if err != nil {
		return ContentFolderResponse{}, err
	}
	folder, err := a.store.ContentFolderByID(ctx, c.Profile.ID, c.project.ID, idOf(in.ID))
	if err != nil {
		return ContentFolderResponse{}, folderProblem(err)
	}
	filter.Folder = &folder.ID
	return a.folderPage(ctx, c, &folder.ID, filter)
}

func (a *API) folderPage(ctx context.Context, c *call, parent *uuid.UUID, filter store.ContentFilter) (ContentFolderResponse, error) {
	filter.ProjectID = c.project.ID
	page := ContentFolderResponse{Data: ContentFolderData{Folders: []ContentFolder{}}}
	if filter.After == nil {
		folders, err := a.store.ContentFolders(ctx, c.Profile.ID, c.project.ID, parent, filter.Search)
		if err != nil {
			return page, err
		}
		for _, one := range folders {
			page.Data.Folders = append(page.Data.Folders, contentFolderOf(one))
		}
	}
	found, next, err := a.store.ListContent(ctx, c.Profile.ID, filter)
	page.Cursor, page.Data.Contents = cursorText(next), make([]ContentEntry, len(found))
	for i, one := range found {
		page.Data.Contents[i] = contentEntryOf(one)
	}
	return page, err
}

func (a *API) createFolder(ctx context.Context, c *call, in *createContentFolderInput) (ContentFolder, error) {
	parent := cmp.Or(in.Body.ParentID, in.Body.StudioParent)
	made, err := a.store.CreateContentFolder(ctx, c.actor, c.project.Project, parent, in.Body.Name)
	return contentFolderOf(made), folderProblem(err)
}

func (a *API) renameFolder(ctx context.Context, c *call, in *updateContentFolderInput) error {
	return folderProblem(a.store.RenameContentFolder(ctx, c.actor, c.project.Project, idOf(in.ID), in.Body.Name))
}

func (a *API) deleteFolders(ctx context.Context, c *call, in *idsInput) error {
	ids, err := in.parse()
	if err != nil {
		return err
	}
	return folderProblem(a.store.DeleteContentFolders(ctx, c.actor, c.project.Project, ids))
}

func folderProblem(err error) error { return problem.OrNotFound(err, "Folder not found") }

func contentFolderOf(f store.ContentFolder) ContentFolder {
	return ContentFolder{ID: f.ID, ProjectID: f.ProjectID, OwnerID: f.OwnerID, ParentID: f.ParentID, Name: f.Name}
}
