package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1Snippet is a SQL snippet in a list, as `supabase snippets list` shows it.
type V1Snippet struct {
	ID          uuid.UUID        `json:"id" format:"uuid"`
	Type        string           `json:"type" enum:"sql"`
	Name        string           `json:"name"`
	Description *string          `json:"description"`
	Visibility  string           `json:"visibility" enum:"user,project,org,public"`
	Favorite    bool             `json:"favorite"`
	Owner       ContentAuthor    `json:"owner"`
	UpdatedBy   ContentAuthor    `json:"updated_by"`
	Project     V1SnippetProject `json:"project"`
	InsertedAt  time.Time        `json:"inserted_at"`
	UpdatedAt   time.Time        `json:"updated_at"`
}

// V1SnippetProject is the project of a snippet.
type V1SnippetProject struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// V1SnippetList is one page of snippets. Without a cursor it is the last one.
type V1SnippetList struct {
	Data   []V1Snippet `json:"data"`
	Cursor string      `json:"cursor,omitempty"`
}

// V1SnippetWithContent is a snippet with its SQL.
type V1SnippetWithContent struct {
	V1Snippet
	Content V1SnippetContent `json:"content"`
}

// V1SnippetContent is what is in a snippet.
type V1SnippetContent struct {
	SQL           string `json:"sql"`
	SchemaVersion string `json:"schema_version"`
}

type listSnippetsInput struct {
	ContentPage
	ProjectRef string `query:"project_ref" doc:"Of one project; of all that you may see where it is left out."`
}

type snippetPath struct {
	ID string `path:"id" format:"uuid"`
}

func (a *API) registerSnippets() {
	permission := access.SignedInTo(access.Read, "user_content")
	handle(a, route{
		method: http.MethodGet, path: "/v1/snippets", permission: permission, kind: Real, summary: "The SQL snippets that you may see",
	}, a.v1ListSnippets)
	handle(a, route{
		method: http.MethodGet, path: "/v1/snippets/{id}", permission: permission, kind: Real, summary: "One SQL snippet, with its SQL",
	}, a.v1GetSnippet)
}

func (a *API) v1ListSnippets(ctx context.Context, c *call, in *listSnippetsInput) (V1SnippetList, error) {
	filter, err := in.filter()
	if err != nil {
		return V1SnippetList{}, err
	}
	if in.ProjectRef != "" {
		if err := a.enterProject(ctx, c, access.InProject(access.Read, "user_content"), in.ProjectRef); err != nil {
			return V1SnippetList{}, err
		}
		filter.ProjectID = c.project.ID
	}
	found, next, err := a.store.ListSnippets(ctx, viewerOf(c), c.Limits, filter)
	page := V1SnippetList{Data: make([]V1Snippet, len(found)), Cursor: cursorText(next)}
	for i, one := range found {
		page.Data[i] = v1SnippetOf(one)
	}
	return page, err
}

func (a *API) v1GetSnippet(ctx context.Context, c *call, in *snippetPath) (V1SnippetWithContent, error) {
	found, err := a.store.SnippetByID(ctx, viewerOf(c), c.Limits, idOf(in.ID))
	if err != nil {
		return V1SnippetWithContent{}, problem.OrNotFound(err, "Snippet not found")
	}
	content := V1SnippetContent{}
	if err := json.Unmarshal(found.Content, &content); err != nil {
		return V1SnippetWithContent{}, fmt.Errorf("read the snippet %s: %w", found.ID, err)
	}
	content.SchemaVersion = cmp.Or(content.SchemaVersion, "1.0") // Studio's own, where whoever saved it said none
	return V1SnippetWithContent{v1SnippetOf(found), content}, nil
}

func v1SnippetOf(one store.Content) V1Snippet {
	owner, updater := contentAuthorsOf(one)
	return V1Snippet{
		ID: one.ID, Type: string(one.Type), Name: one.Name, Description: one.Description, Visibility: string(one.Visibility),
		Favorite: one.Favorite, Owner: owner, UpdatedBy: updater, Project: V1SnippetProject{one.ProjectID, one.ProjectName},
		InsertedAt: one.CreatedAt.UTC(), UpdatedAt: one.UpdatedAt.UTC(),
	}
}
