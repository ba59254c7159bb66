package api

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

var contentExamples = map[string]example{
	"PUT /platform/projects/{ref}/content":                {body: `{"type":"sql","name":"q","visibility":"user","content":{"sql":"select 1","schema_version":"1.0"},"folder_id":null}`},
	"GET /platform/projects/{ref}/content":                {prepare: aSnippet},
	"DELETE /platform/projects/{ref}/content":             {prepare: aSnippetToDelete, query: "ids=" + exampleContent},
	"GET /platform/projects/{ref}/content/item/{id}":      {prepare: aSnippet},
	"GET /platform/projects/{ref}/content/folders":        {prepare: aFolder},
	"GET /platform/projects/{ref}/content/folders/{id}":   {prepare: aFolder},
	"PATCH /platform/projects/{ref}/content/folders/{id}": {prepare: aFolder, body: `{"name":"renamed"}`},
	"DELETE /platform/projects/{ref}/content/folders":     {prepare: aFolderToDelete, query: "ids=" + exampleContent},
	"GET /v1/snippets":      {prepare: aSnippet},
	"GET /v1/snippets/{id}": {prepare: aSnippet},
}

// exampleContent is the id of what the examples delete.
const exampleContent = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"

func aSnippet(w *world, p place) map[string]string {
	saved := w.save(w.as(store.RoleOwner), p, `{"type":"sql","name":"q","visibility":"user","description":"d","content":{"sql":"select 1"}}`)
	return map[string]string{"id": saved["id"].(string)}
}

func aSnippetToDelete(w *world, p place) map[string]string {
	w.save(w.as(store.RoleOwner), p, `{"id":"`+exampleContent+`","type":"sql","name":"q","visibility":"user"}`)
	return nil
}

func aFolder(w *world, p place) map[string]string {
	folder := w.folder(w.as(store.RoleOwner), p, "mine")
	w.save(w.as(store.RoleOwner), p, `{"type":"sql","name":"q","visibility":"user","folder_id":"`+folder+`"}`)
	return map[string]string{"id": folder}
}

func aFolderToDelete(w *world, p place) map[string]string {
	w.exec(`update platform.content_folders set id = $1 where id = $2`, exampleContent, w.folder(w.as(store.RoleOwner), p, "mine"))
	return nil
}

func (p place) content() string { return "/platform/projects/" + p.ref + "/content" }

func (w *world) save(authorization string, p place, body string) map[string]any {
	w.t.Helper()
	return w.object(authorization, http.MethodPut, p.content(), body)
}

func (w *world) folder(authorization string, p place, name string) string {
	w.t.Helper()
	return w.object(authorization, http.MethodPost, p.content()+"/folders", `{"name":"`+name+`"}`)["id"].(string)
}

// names lists what somebody sees of a project's content.
func (w *world) names(authorization string, p place, query string) []string {
	w.t.Helper()
	var page ContentList
	w.list(authorization, p.content()+"?"+query, &page)
	names := make([]string, len(page.Data))
	for i, one := range page.Data {
		names[i] = one.Name
	}
	return names
}

func TestASnippetIsItsOwnersUntilItIsShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, developer := w.place(), w.as(store.RoleOwner), w.as(store.RoleDeveloper)
	id := w.save(owner, p, `{"type":"sql","name":"mine","visibility":"user","content":{"sql":"select 1"}}`)["id"].(string)
	item := p.content() + "/item/" + id
	require.Equal(t, map[string]any{"sql": "select 1"}, w.object(owner, http.MethodGet, item, "")["content"])
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodGet, item, "").Code)
	require.Empty(t, w.names(developer, p, "type=sql"))
	hijacked := `{"id":"` + id + `","type":"sql","name":"stolen","visibility":"user"}`
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodPut, p.content(), hijacked).Code)

	w.save(owner, p, `{"id":"`+id+`","type":"sql","name":"ours","visibility":"project"}`)
	require.Equal(t, map[string]any{"sql": "select 1"}, w.object(developer, http.MethodGet, item, "")["content"], "what is not named stays")
	require.Equal(t, []string{"ours"}, w.names(developer, p, "type=sql&visibility=project"))
	require.Equal(t, http.StatusForbidden, w.raw(developer, http.MethodPut, p.content(), hijacked).Code)
	require.Equal(t, http.StatusForbidden, w.raw(developer, http.MethodDelete, p.content()+"?ids="+id, "").Code)

	other := w.place()
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodGet, other.content()+"/item/"+id, "").Code, "it is of another project")
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodDelete, other.content()+"?ids="+id, "").Code)
	w.succeed(owner, http.MethodDelete, p.content()+"?ids="+id, "")
	status, refusal := w.send(owner, http.MethodDelete, p.content()+"?ids="+id, "")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, "Contents not found", refusal["message"])
}

func TestASharedReportIsEverybodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, developer := w.place(), w.as(store.RoleOwner), w.as(store.RoleDeveloper)
	id := w.save(owner, p, `{"type":"report","name":"Home","visibility":"project","content":{"layout":[]}}`)["id"].(string)
	changed := w.save(developer, p, `{"id":"`+id+`","type":"report","name":"Start","visibility":"project","content":{"layout":[1]}}`)
	require.Equal(t, "Start", changed["name"])
	require.NotEqual(t, changed["owner_id"], changed["last_updated_by"], "it stays its owner's")
	require.Equal(t, http.StatusForbidden, w.raw(developer, http.MethodPut, p.content(),
		`{"id":"`+id+`","type":"report","name":"Start","visibility":"user"}`).Code, "nobody takes it for themselves")
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodPut, p.content(),
		`{"id":"`+id+`","type":"sql","name":"Start","visibility":"project"}`).Code)
	w.succeed(developer, http.MethodDelete, p.content()+"?ids="+id+","+id, "")
	require.Empty(t, w.names(owner, p, ""))
}

func TestFavoritesAreEverybodysOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, developer := w.place(), w.as(store.RoleOwner), w.as(store.RoleDeveloper)
	id := w.save(owner, p, `{"type":"sql","name":"a","visibility":"project","favorite":true}`)["id"].(string)
	w.save(owner, p, `{"type":"sql","name":"b","visibility":"user"}`)
	require.Equal(t, []string{"a"}, w.names(owner, p, "favorite=true"))
	require.Empty(t, w.names(developer, p, "favorite=true"))
	count := func(authorization string) map[string]any {
		return w.object(authorization, http.MethodGet, p.content()+"/count?type=sql", "")
	}
	require.Equal(t, map[string]any{"private": 1., "shared": 1., "favorites": 1.}, count(owner))
	require.Equal(t, map[string]any{"private": 0., "shared": 1., "favorites": 0.}, count(developer))
	w.save(owner, p, `{"id":"`+id+`","type":"sql","name":"a","visibility":"project","favorite":false}`)
	require.Equal(t, map[string]any{"private": 1., "shared": 1., "favorites": 0.}, count(owner))
}

func TestContentIsPagedSortedAndSearched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	for _, name := range []string{"Beta", "alpha", "gamma", "delta"} {
		w.save(owner, p, `{"type":"sql","name":"`+name+`","visibility":"user"}`)
	}
	w.save(owner, p, `{"type":"log_sql","name":"logs","visibility":"user"}`)
	for i, name := range []string{"Beta", "alpha", "gamma", "delta"} {
		w.exec(`update platform.content set created_at = created_at + $1 * interval '1 minute' where name = $2`, i, name)
	}
	tests := []struct {
		query string
		names []string
	}{
		{"type=sql&sort_by=name", []string{"alpha", "Beta", "delta", "gamma"}},
		{"type=sql&sort_by=name&sort_order=desc", []string{"gamma", "delta", "Beta", "alpha"}},
		{"type=sql", []string{"delta", "gamma", "alpha", "Beta"}},
		{"type=sql&sort_by=inserted_at&sort_order=asc", []string{"Beta", "alpha", "gamma", "delta"}},
		{"name=ET", []string{"Beta"}},
		{"type=log_sql", []string{"logs"}},
	}
	for _, test := range tests {
		require.Equal(t, test.names, w.names(owner, p, test.query), test.query)
		require.Equal(t, test.names, w.paged(owner, p, test.query), "by pages: %s", test.query)
	}
	for _, cursor := range []string{"x", "bm9wZQ", "bnVsbA", "eyJuIjoiXHUwMDAwIn0"} {
		require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodGet, p.content()+"?cursor="+cursor, "").Code, cursor)
	}
}

// paged lists content one by one.
func (w *world) paged(authorization string, p place, query string) (names []string) {
	w.t.Helper()
	var page ContentList
	for {
		cursor := page.Cursor
		page = ContentList{}
		w.list(authorization, p.content()+"?limit=1&"+query+"&cursor="+url.QueryEscape(cursor), &page)
		require.Len(w.t, page.Data, 1)
		names = append(names, page.Data[0].Name)
		if page.Cursor == "" {
			return names
		}
	}
}

func TestFoldersHoldWhatIsTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, developer := w.place(), w.as(store.RoleOwner), w.as(store.RoleDeveloper)
	folder := w.folder(owner, p, "mine")
	inside := w.object(owner, http.MethodPost, p.content()+"/folders", `{"name":"inside","parentId":"`+folder+`"}`)
	require.Equal(t, folder, inside["parent_id"])
	body := func(id, visibility, folder string) string {
		return fmt.Sprintf(`{"id":%q,"type":"sql","name":"q","visibility":%q%s}`, id, visibility, folder)
	}
	id := uuid.NewString()
	look := func(authorization, folder string) (folders, contents int) {
		var page ContentFolderResponse
		w.list(authorization, p.content()+"/folders"+folder, &page)
		return len(page.Data.Folders), len(page.Data.Contents)
	}
	expect := func(authorization, folder string, folders, contents int) {
		t.Helper()
		gotFolders, gotContents := look(authorization, folder)
		require.Equal(t, [2]int{folders, contents}, [2]int{gotFolders, gotContents})
	}
	w.save(owner, p, body(id, "user", `,"folder_id":"`+folder+`"`))
	expect(owner, "", 1, 0)
	expect(owner, "/"+folder, 1, 1)
	expect(developer, "", 0, 0)
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodGet, p.content()+"/folders/"+folder, "").Code)
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodPut, p.content(), body(uuid.NewString(), "user", `,"folder_id":"`+folder+`"`)).Code)
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodPatch, p.content()+"/folders/"+folder, `{"name":"x"}`).Code)
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodDelete, p.content()+"/folders?ids="+folder, "").Code)

	w.save(owner, p, body(id, "user", ""))
	expect(owner, "/"+folder, 1, 1) // what is not said stays
	w.save(owner, p, body(id, "user", `,"folder_id":null`))
	expect(owner, "", 1, 1)
	w.save(owner, p, body(id, "user", `,"folder_id":"`+folder+`"`))
	w.save(owner, p, body(id, "project", ""))
	expect(owner, "/"+folder, 1, 0) // what is shared lies in no folder
	w.save(owner, p, body(id, "user", `,"folder_id":"`+folder+`"`))

	w.succeed(owner, http.MethodPatch, p.content()+"/folders/"+folder, `{"name":"renamed"}`)
	var page ContentFolderResponse
	w.list(owner, p.content()+"/folders?name=REN", &page)
	require.Equal(t, "renamed", page.Data.Folders[0].Name)
	w.succeed(owner, http.MethodDelete, p.content()+"/folders?ids="+folder+"&ids="+inside["id"].(string), "")
	expect(owner, "", 0, 0)
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodGet, p.content()+"/item/"+id, "").Code, "gone with its folder")
}

func TestSnippetsOfAllProjectsAreListedForTheCLI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other, owner := w.place(), w.place(), w.as(store.RoleOwner)
	w.save(owner, p, `{"type":"sql","name":"one","visibility":"user","content":{"sql":"select 1","schema_version":"1"}}`)
	w.save(owner, other, `{"type":"sql","name":"two","visibility":"project","content":{"sql":"select 2"}}`)
	w.save(owner, p, `{"type":"report","name":"no snippet","visibility":"project"}`)
	list := func(authorization, query string) []V1Snippet {
		var page V1SnippetList
		w.list(authorization, "/v1/snippets?sort_by=name"+query, &page)
		return page.Data
	}
	require.Len(t, list(owner, ""), 2)
	one := list(owner, "&project_ref="+p.ref)
	require.Len(t, one, 1)
	require.Equal(t, "one", one[0].Name)
	whole := w.object(owner, http.MethodGet, "/v1/snippets/"+one[0].ID.String(), "")
	require.Equal(t, map[string]any{"sql": "select 1", "schema_version": "1"}, whole["content"])

	developer, outsider := w.as(store.RoleDeveloper), session(t, outsiderID, email(outsiderID))
	require.Equal(t, "two", list(developer, "")[0].Name)
	require.Empty(t, list(outsider, ""))
	require.Equal(t, http.StatusNotFound, w.raw(outsider, http.MethodGet, "/v1/snippets?project_ref="+p.ref, "").Code)
	shared := list(owner, "")[1].ID.String()
	w.succeed(developer, http.MethodGet, "/v1/snippets/"+shared, "")
	require.Equal(t, http.StatusNotFound, w.raw(outsider, http.MethodGet, "/v1/snippets/"+shared, "").Code)
	require.Equal(t, http.StatusNotFound, w.raw(developer, http.MethodGet, "/v1/snippets/"+one[0].ID.String(), "").Code)
}

func TestContentThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	tests := []struct {
		body    string
		status  int
		message string
	}{
		{`{"type":"sql","name":"q","visibility":"public"}`, http.StatusBadRequest, `visibility: expected value to be one of "user, project".`},
		{`{"type":"sql","name":"q","visibility":"user","content":{"sql":"\u0000"}}`, http.StatusConflict, "The content holds the character U+0000, which cannot be kept."},
		{`{"type":"sql","name":"q\u0000","visibility":"user"}`, http.StatusBadRequest, "name: expected string to be no null characters."},
		{`{"type":"sql","name":"q","visibility":"user","folder_id":"nowhere"}`, http.StatusBadRequest, "folder_id: expected string to be RFC 4122 uuid: invalid UUID length: 7."},
		{`{"type":"sql","name":"q","visibility":"user","folder_id":"` + exampleContent + `"}`, http.StatusNotFound, "Content not found"},
	}
	for _, test := range tests {
		status, refusal := w.send(owner, http.MethodPut, p.content(), test.body)
		require.Equal(t, test.status, status, test.body)
		require.Equal(t, test.message, refusal["message"])
	}
	require.Empty(t, w.names(owner, p, ""))
}
