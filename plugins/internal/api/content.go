package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ContentEntry is a snippet, a report or a log query in a list, without what is in it.
type ContentEntry struct {
	ID            uuid.UUID  `json:"id" format:"uuid"`
	ProjectID     int64      `json:"project_id"`
	OwnerID       int64      `json:"owner_id"`
	LastUpdatedBy *int64     `json:"last_updated_by,omitempty" doc:"Absent when the profile is gone."`
	FolderID      *uuid.UUID `json:"folder_id" format:"uuid"`
	Type          string     `json:"type" enum:"sql,report,log_sql"`
	Name          string     `json:"name"`
	Description   *string    `json:"description,omitempty"`
	Visibility    string     `json:"visibility" enum:"user,project,org,public" doc:"user: its owner alone; project: whoever may see the project."`
	Favorite      bool       `json:"favorite" doc:"Of yours."`
	InsertedAt    time.Time  `json:"inserted_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

// ContentItem is a snippet, a report or a log query with what is in it.
type ContentItem struct {
	ContentEntry
	Content json.RawMessage `json:"content"`
}

// ContentListItem is the same with the people's names.
type ContentListItem struct {
	ContentItem
	Owner     ContentAuthor `json:"owner"`
	UpdatedBy ContentAuthor `json:"updated_by"`
}

// ContentAuthor is who made or changed something.
type ContentAuthor struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// ContentList is one page of a list. Without a cursor it is the last one.
type ContentList struct {
	Data   []ContentListItem `json:"data"`
	Cursor string            `json:"cursor,omitempty"`
}

// ContentCountResponse says how much there is for you.
type ContentCountResponse struct {
	Private   int64 `json:"private"`
	Shared    int64 `json:"shared"`
	Favorites int64 `json:"favorites"`
}

// ContentDeleted names what was deleted.
type ContentDeleted struct {
	ID uuid.UUID `json:"id" format:"uuid"`
}

// UpsertContentBody is what an item should be. What is left out stays as it is; an item without an id is made.
type UpsertContentBody struct {
	ID          *uuid.UUID     `json:"id,omitempty" format:"uuid"`
	Type        string         `json:"type" enum:"sql,report,log_sql"`
	Name        string         `json:"name" minLength:"1" maxLength:"256" pattern:"^[^\\x00]*$" patternDescription:"no null characters"`
	Description *string        `json:"description,omitempty" maxLength:"1024" pattern:"^[^\\x00]*$" patternDescription:"no null characters"`
	Visibility  string         `json:"visibility" enum:"user,project"`
	Content     map[string]any `json:"content,omitempty"`
	Favorite    *bool          `json:"favorite,omitempty"`
	FolderID    FolderChoice   `json:"folder_id,omitzero" doc:"null takes it out of its folder."`
}

// FolderChoice is a folder, none, or not said.
type FolderChoice struct {
	Said bool
	ID   *uuid.UUID
}

// UnmarshalJSON is not called for what is not said.
func (f *FolderChoice) UnmarshalJSON(text []byte) error {
	f.Said = true
	return json.Unmarshal(text, &f.ID)
}

// Schema tells huma what to expect.
func (FolderChoice) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid", Nullable: true}
}

type upsertContentInput struct {
	Ref  string `path:"ref"`
	Body UpsertContentBody
}

// ContentPage is how a list of content is asked for.
type ContentPage struct {
	Name      string `query:"name" maxLength:"256" doc:"Part of the name, in any case."`
	SortBy    string `query:"sort_by" enum:"name,inserted_at" default:"inserted_at"`
	SortOrder string `query:"sort_order" enum:"asc,desc" doc:"By name ascending, by time the newest first, where it is left out."`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor    string `query:"cursor" maxLength:"2048" doc:"Of the page before."`
}

type listContentInput struct {
	Ref string `path:"ref"`
	ContentPage
	Type       string `query:"type" enum:"sql,report,log_sql"`
	Visibility string `query:"visibility" enum:"user,project,org,public"`
	Favorite   bool   `query:"favorite" doc:"Your favorites alone."`
}

type countContentInput struct {
	Ref  string `path:"ref"`
	Name string `query:"name" maxLength:"256"`
	Type string `query:"type" enum:"sql,report,log_sql"`
}

type contentPath struct {
	Ref string `path:"ref"`
	ID  string `path:"id" format:"uuid"`
}

// idsInput takes both ways in which Studio names several: `ids=a,b` and `ids=a&ids=b`.
type idsInput struct {
	Ref string   `path:"ref"`
	IDs []string `query:"ids,explode" required:"true" minItems:"1" maxItems:"1000"`
}

func (a *API) registerContent() {
	const list = "/platform/projects/{ref}/content"
	read := access.InProject(access.Read, "user_content")
	handle(a, route{
		method: http.MethodGet, path: list, permission: read, kind: Real, summary: "The snippets, reports and log queries that you may see",
	}, a.listContent)
	handle(a, route{
		method: http.MethodPut, path: list, permission: access.InProject(access.Create, "user_content"),
		kind: Real, summary: "Keep a snippet, a report or a log query",
	}, a.upsertContent)
	handle(a, route{
		method: http.MethodDelete, path: list, permission: access.InProject(access.Delete, "user_content"),
		kind: Real, summary: "Delete snippets, reports and log queries",
	}, a.deleteContent)
	handle(a, route{
		method: http.MethodGet, path: list + "/count", permission: read, kind: Real, summary: "How much there is for you",
	}, a.countContent)
	handle(a, route{
		method: http.MethodGet, path: list + "/item/{id}", permission: read, kind: Real, summary: "One of them, with what is in it",
	}, a.getContent)
	a.registerContentFolders()
}

func (a *API) listContent(ctx context.Context, c *call, in *listContentInput) (ContentList, error) {
	filter, err := in.filter()
	if err != nil {
		return ContentList{}, err
	}
	filter.ProjectID, filter.Type = c.project.ID, store.ContentType(in.Type)
	filter.Visibility, filter.Favorite = store.Visibility(in.Visibility), in.Favorite
	found, next, err := a.store.ListContent(ctx, c.Profile.ID, filter)
	page := ContentList{Data: make([]ContentListItem, len(found)), Cursor: cursorText(next)}
	for i, one := range found {
		page.Data[i] = contentListItemOf(one)
	}
	return page, err
}

func (a *API) countContent(ctx context.Context, c *call, in *countContentInput) (ContentCountResponse, error) {
	count, err := a.store.CountContent(ctx, c.Profile.ID, store.ContentFilter{
		ProjectID: c.project.ID, Type: store.ContentType(in.Type), Search: in.Name,
	})
	return ContentCountResponse(count), err
}

func (a *API) getContent(ctx context.Context, c *call, in *contentPath) (ContentItem, error) {
	found, err := a.store.ContentByID(ctx, c.Profile.ID, c.project.ID, idOf(in.ID))
	return contentItemOf(found), contentProblem(err)
}

func (a *API) upsertContent(ctx context.Context, c *call, in *upsertContentInput) (ContentEntry, error) {
	change := store.ContentChange{
		Type: store.ContentType(in.Body.Type), Name: in.Body.Name, Description: in.Body.Description,
		Visibility: store.Visibility(in.Body.Visibility), Favorite: in.Body.Favorite,
	}
	if in.Body.ID != nil {
		change.ID = *in.Body.ID
	}
	if in.Body.FolderID.Said {
		change.Folder = &in.Body.FolderID.ID
	}
	if in.Body.Content != nil {
		var err error
		if change.Content, err = json.Marshal(in.Body.Content); err != nil {
			return ContentEntry{}, problem.BadRequest("content: it cannot be kept.")
		}
	}
	saved, err := a.store.SaveContent(ctx, c.actor, c.project.Project, change)
	return contentEntryOf(saved), contentProblem(err)
}

func (a *API) deleteContent(ctx context.Context, c *call, in *idsInput) ([]ContentDeleted, error) {
	ids, err := in.parse()
	if err != nil {
		return nil, err
	}
	if err := a.store.DeleteContent(ctx, c.actor, c.project.Project, ids); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, problem.NotFound("Contents not found") // Studio takes them for deleted by this very text
		}
		return nil, contentProblem(err)
	}
	deleted := make([]ContentDeleted, len(ids))
	for i, id := range ids {
		deleted[i] = ContentDeleted{id}
	}
	return deleted, nil
}

func contentProblem(err error) error {
	if errors.Is(err, store.ErrNotOwner) {
		return problem.New(http.StatusForbidden, "It belongs to somebody else, who alone may change it. Make a copy of your own.")
	}
	return problem.OrNotFound(err, "Content not found")
}

// idOf reads an id of a path, whose form was validated before.
func idOf(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil // the id of nothing
	}
	return id
}

// parse reads the ids, each of them once.
func (in *idsInput) parse() ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, text := range in.IDs {
		for one := range strings.SplitSeq(text, ",") {
			id, err := uuid.Parse(one)
			if err != nil {
				return nil, problem.BadRequest("query.ids: expected UUIDs, separated by commas.")
			}
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// filter reads what every list of content is asked by.
func (p ContentPage) filter() (store.ContentFilter, error) {
	filter := store.ContentFilter{Search: p.Name, Limit: p.Limit, Order: store.ContentOrder(p.SortBy)}
	filter.Descending = p.SortOrder == "desc" || p.SortOrder == "" && filter.Order == store.ContentByTime
	if p.Cursor == "" {
		return filter, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &filter.After)
	}
	if err != nil || filter.After == nil || strings.ContainsRune(filter.After.Name, 0) {
		return filter, problem.BadRequest("query.cursor: expected the cursor of a page before.")
	}
	return filter, nil
}

func cursorText(next *store.ContentCursor) string {
	if next == nil {
		return ""
	}
	text, err := json.Marshal(next)
	if err != nil {
		panic(err) // a name, a time and a UUID
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func contentEntryOf(one store.Content) ContentEntry {
	return ContentEntry{
		ID: one.ID, ProjectID: one.ProjectID, OwnerID: one.OwnerID, LastUpdatedBy: one.UpdatedBy, FolderID: one.FolderID,
		Type: string(one.Type), Name: one.Name, Description: one.Description, Visibility: string(one.Visibility),
		Favorite: one.Favorite, InsertedAt: one.CreatedAt.UTC(), UpdatedAt: one.UpdatedAt.UTC(),
	}
}

func contentItemOf(one store.Content) ContentItem {
	return ContentItem{contentEntryOf(one), one.Content}
}

func contentListItemOf(one store.Content) ContentListItem {
	owner, updater := contentAuthorsOf(one)
	return ContentListItem{contentItemOf(one), owner, updater}
}

// contentAuthorsOf says who made an item and who changed it last: its owner, where whoever did is gone.
func contentAuthorsOf(one store.Content) (owner, updater ContentAuthor) {
	owner = ContentAuthor{one.OwnerID, one.OwnerName}
	if one.UpdatedBy == nil || one.UpdaterName == nil {
		return owner, owner
	}
	return owner, ContentAuthor{*one.UpdatedBy, *one.UpdaterName}
}
