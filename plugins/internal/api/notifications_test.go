package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const notifications = "/platform/notifications"

// fail ends a new project's creation with a failure, as a provisioner does, and returns its ref.
func (w *world) fail(organizationID int64, name, message string) string {
	w.t.Helper()
	ref := w.runningProject(organizationID, name)
	claim := w.claim(ref)
	require.NoError(w.t, claim.Settle(w.t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errors.New(message)}))
	return ref
}

// claim takes a project as a provisioner does.
func (w *world) claim(ref string) *store.Claim {
	w.t.Helper()
	claim, err := w.store.ClaimProject(w.t.Context(), "local", "test", time.Minute, []store.Ref{store.Ref(ref)})
	require.NoError(w.t, err)
	for string(claim.Project.Ref) != ref {
		claim, err = w.store.ClaimProject(w.t.Context(), "local", "test", time.Minute, nil)
		require.NoError(w.t, err)
	}
	return claim
}

func (w *world) notified(authorization, query string) []NotificationResponse {
	w.t.Helper()
	var list []NotificationResponse
	w.list(authorization, notifications+query, &list)
	return list
}

func TestAFailureReachesEverybodyWhoMaySeeTheProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	require.JSONEq(t, `[]`, w.succeed(w.as(store.RoleOwner), http.MethodGet, notifications, "").Body.String())
	require.JSONEq(t, `{"has_critical":false,"has_warning":false,"unread_count":0}`,
		w.succeed(w.as(store.RoleOwner), http.MethodGet, notifications+"/summary", "").Body.String())
	w.join(w.organizationID(p), outsiderID, 0)
	w.scope(p.ref, outsiderID, store.RoleOwner)
	ref := w.fail(w.organizationID(p), "lost [shop](https://evil.example)", "no such image: a*b")

	for role := store.RoleOwner; role <= store.RoleReadOnly; role++ {
		told := w.notified(w.as(role), "")
		require.Len(t, told, 1, role)
		require.Equal(t, "projects.create.failed", told[0].Name)
		require.Equal(t, "Critical", told[0].Priority)
		require.Equal(t, "new", told[0].Status)
		require.Equal(t, "lost [shop](https://evil.example) could not be created", told[0].Data.Title)
		require.Equal(t, `no such image\: a\*b`, told[0].Data.Message, "a message is Markdown")
		require.Equal(t, ref, *told[0].Data.ProjectRef)
		require.Equal(t, p.slug, told[0].Data.OrgSlug)
	}
	require.Empty(t, w.notified(w.outsider(), ""), "a member of another project alone")
	w.scope(ref, outsiderID, store.RoleReadOnly)
	require.Len(t, w.notified(w.outsider(), ""), 1)
	w.exec(`update platform.members set joined_at = $1 where profile_id = (select id from platform.profiles where gotrue_id = $2)`,
		storetest.Now.Add(time.Second), outsiderID)
	require.Empty(t, w.notified(w.outsider(), ""), "what was before somebody came")
}

func TestNotificationsAreMarkedPagedAndFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.place(), w.place()
	one, two := w.fail(w.organizationID(p), "one", "a"), w.fail(w.organizationID(other), "two", "b")
	owner := w.as(store.RoleOwner)
	require.Len(t, w.notified(owner, "?offset=0&limit=20&status=new,seen"), 2)
	require.Len(t, w.notified(owner, "?limit=1&offset=1"), 1)
	require.Empty(t, w.notified(owner, "?limit=1&offset=2"))
	require.Equal(t, one, *w.notified(owner, "?org_slug="+p.slug)[0].Data.ProjectRef)
	require.Equal(t, two, *w.notified(owner, "?project_ref="+two+","+p.ref)[0].Data.ProjectRef)
	require.Len(t, w.notified(owner, "?priority=Critical,Info"), 2)
	require.Empty(t, w.notified(owner, "?priority=Warning"))

	first := w.notified(owner, "?org_slug="+p.slug)[0]
	change := `[{"id":"` + first.ID.String() + `","status":"seen"}]`
	var changed []NotificationResponse
	require.NoError(t, json.Unmarshal(w.succeed(owner, http.MethodPatch, notifications, change).Body.Bytes(), &changed))
	require.Len(t, changed, 1)
	require.Equal(t, "seen", changed[0].Status)
	require.JSONEq(t, `{"has_critical":true,"has_warning":false,"unread_count":1}`, w.succeed(owner, http.MethodGet, notifications+"/summary", "").Body.String())
	require.Equal(t, "new", w.notified(w.as(store.RoleDeveloper), "?org_slug="+p.slug)[0].Status, "others read for themselves")
	require.JSONEq(t, `[]`, w.succeed(w.outsider(), http.MethodPatch, notifications, change).Body.String(), "a stranger changes nothing")

	w.succeed(owner, http.MethodPatch, notifications+"/archive-all", "")
	require.Empty(t, w.notified(owner, ""))
	require.Len(t, w.notified(owner, "?status=archived"), 2)
	w.succeed(owner, http.MethodPatch, notifications, `[{"id":"`+first.ID.String()+`","status":"new"}]`)
	require.Len(t, w.notified(owner, "?status=new"), 1)
	for _, body := range []string{`[{"id":"1","status":"seen"}]`, `[{"id":"` + first.ID.String() + `","status":"gone"}]`, `{}`} {
		status, _ := w.send(owner, http.MethodPatch, notifications, body)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
}

func TestNotificationsOfAnOrganizationThatDemandsASecondFactorNeedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.fail(w.organizationID(p), "one", "a")
	w.exec(`update platform.organizations set mfa_required = true where slug = $1`, p.slug)
	require.Empty(t, w.notified(w.as(store.RoleOwner), ""))
	require.Len(t, w.notified(secondFactor(t, callers[2].id), ""), 1)
}

func TestWhatTheAdvisorsFoundLeadsToThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner, err := w.store.EnsureProfile(t.Context(), callers[2].id, "")
	require.NoError(t, err)
	project, err := w.store.ProjectByRef(t.Context(), owner.ID, store.Ref(p.ref))
	require.NoError(t, err)
	finding := store.Finding{Key: "open", Lint: "rls_disabled_in_public", Category: "SECURITY", Title: "Open", Detail: "orders is open."}
	require.NoError(t, w.store.NoteFindings(t.Context(), project.Project, []store.Finding{finding}))
	told := w.notified(w.as(store.RoleReadOnly), "")
	require.Len(t, told, 1)
	require.Equal(t, "advisors.rls_disabled_in_public", told[0].Name)
	require.Equal(t, []NotificationAction{{Label: "Open the security advisor", URL: "/project/[ref]/advisors/security"}}, told[0].Data.Actions)
	require.NoError(t, w.store.NoteFindings(t.Context(), project.Project, nil))
	require.Empty(t, w.notified(w.as(store.RoleReadOnly), ""))
}

func TestTheOperatorsWelcomeIsMarkdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.exec(`insert into platform.notifications (organization_id, project_id, profile_id, name, priority, title, message, inserted_at)
		select $1, 0, id, 'instance.welcome', 'Info', 'Welcome', 'Ask in **#databases**.', $3 from platform.profiles where gotrue_id = $2`,
		w.organizationID(p), callers[2].id, storetest.Now)
	told := w.notified(w.as(store.RoleOwner), "")
	require.Len(t, told, 1)
	require.Equal(t, "Ask in **#databases**.", told[0].Data.Message)
	require.Empty(t, told[0].Data.Actions)
	require.Empty(t, w.notified(w.as(store.RoleDeveloper), ""), "it is one person's")
}
