package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

const today = "?iso_timestamp_start=2026-03-01T00:00:00.000Z&iso_timestamp_end=2026-03-02T00:00:00.000Z"

func (w *world) auditLog(authorization, path string) AuditLogsResponse {
	w.t.Helper()
	var log AuditLogsResponse
	require.NoError(w.t, json.Unmarshal(w.succeed(authorization, http.MethodGet, path, "").Body.Bytes(), &log))
	return log
}

func TestEveryChangeIsInTheAuditLogWithWhoFromWhereAndWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	organization := "/platform/organizations/" + p.slug
	changes := []struct{ method, path, body, action string }{
		{http.MethodPatch, organization, `{"name":"Acme & Sons"}`, "organizations.update"},
		{http.MethodPost, p.invitations(), inviteOutsider, "invitations.create"},
		{http.MethodPatch, organization + "/members/" + victimID, `{"role_id":4}`, "members.update_role"},
		{http.MethodDelete, organization + "/members/" + victimID, ``, "members.remove"},
		{http.MethodPost, "/platform/projects/" + p.ref + "/pause", ``, "projects.pause"},
	}
	for _, change := range changes {
		request := httptest.NewRequest(change.method, change.path, strings.NewReader(change.body))
		request.Header.Set("Authorization", w.as(store.RoleOwner))
		request.Header.Set("Content-Type", "application/json")
		request.RemoteAddr = "203.0.113.7:0"
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, request)
		require.Less(t, recorder.Code, 300, "%s: %s", change.action, recorder.Body)
	}
	log := w.auditLog(w.as(store.RoleReadOnly), organization+"/audit"+today)
	for i, change := range changes {
		row := log.Result[len(changes)-1-i]
		require.Equal(t, change.action, row.Action.Name)
		require.Equal(t, callers[2].id, row.Actor.ID)
		require.Equal(t, []AuditActorMetadata{{Email: "user1@example.com", IP: "203.0.113.7"}}, row.Actor.Metadata)
		require.Equal(t, p.slug, string(*row.Target.Metadata.OrgSlug))
		require.False(t, row.OccurredAt.IsZero())
	}
	require.Equal(t, p.ref, string(*log.Result[0].Target.Metadata.ProjectRef))
	require.Equal(t, 1, log.RetentionPeriod)
}

func TestTheAuditLogIsOfTheOrganizationAndTheTimeThatAreAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.place(), w.place()
	owner := w.as(store.RoleOwner)
	w.succeed(owner, http.MethodPatch, "/platform/organizations/"+other.slug, `{"name":"Other"}`)
	for _, row := range w.auditLog(owner, "/platform/organizations/"+one.slug+"/audit"+today).Result {
		require.Equal(t, one.slug, string(*row.Target.Metadata.OrgSlug))
	}
	yesterday := strings.ReplaceAll(strings.ReplaceAll(today, "03-01", "02-28"), "03-02", "03-01")
	recorder := w.succeed(owner, http.MethodGet, "/platform/organizations/"+one.slug+"/audit"+yesterday, "")
	require.Contains(t, recorder.Body.String(), `"result":[]`)
	status, _ := w.send(owner, http.MethodGet, "/platform/organizations/"+one.slug+"/audit?iso_timestamp_start=yesterday&iso_timestamp_end=now", "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestPeopleSeeTheirOwnChangesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place() // the owner's doing
	w.succeed(w.as(store.RoleDeveloper), http.MethodPost, "/platform/profile/audit-login", "")
	w.succeed(w.as(store.RoleOwner), http.MethodPatch, "/platform/profile", `{"first_name":"Ada"}`)
	log := w.auditLog(w.as(store.RoleDeveloper), "/platform/profile/audit"+today)
	require.Len(t, log.Result, 1)
	require.Equal(t, "account.login", log.Result[0].Action.Name)
	require.Equal(t, callers[4].id, log.Result[0].Actor.ID)
}
