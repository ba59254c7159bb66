package api

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

// example is how a route is asked so that it succeeds, where that takes more than anyBody and a running project.
type example struct {
	query       string // without the question mark; {ref}, {slug} and what prepare returns are filled in
	body        string // JSON; {ref} and {slug} are filled in
	contentType string // application/json where empty
	as          string // the GoTrue id of who asks; the Owner where empty
	// prepare makes what has to be there first, and returns parameters by name.
	prepare func(w *world, p place) map[string]string
	// status is the answer's where it is not the contract's of success. A status of 400 or more says that the best
	// answer here is a refusal: its reason belongs beside it.
	status int
}

// examples are by `METHOD /path`. Each file of routes has a table of its own, beside its tests.
var examples = joined(projectSideExamples, backupExamples, branchExamples, databaseExamples, edgeLogExamples, feedbackExamples, functionExamples, gatewayExamples, lifecycleExamples, logExamples, measureExamples, oauthExamples, offeringExamples, organizationExamples, peopleExamples, projectExamples, proxiedExamples)

// projectSideExamples are those of what Studio keeps of a project, and is told of it.
var projectSideExamples = joined(authExamples, contentExamples, lintExamples, transferExamples)

func joined(tables ...map[string]example) map[string]example {
	all := map[string]example{}
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}

var peopleExamples = map[string]example{
	"GET /platform/profile/audit":                        {query: auditedDay},
	"GET /platform/organizations/{slug}/audit":           {query: auditedDay},
	"POST /platform/signup":                              {prepare: goTrueAnswers, body: `{"email":"new@example.com","password":"Correct-horse-1"}`},
	"POST /platform/reset-password":                      {prepare: goTrueAnswers},
	"GET /platform/profile/scoped-access-tokens/{id}":    {prepare: aScopedToken},
	"DELETE /platform/profile/scoped-access-tokens/{id}": {prepare: aScopedToken},
	"DELETE /platform/organizations/{slug}": {prepare: func(w *world, p place) map[string]string {
		w.exec(`delete from platform.projects where ref = $1`, p.ref)
		return nil
	}},
	"DELETE /platform/organizations/{slug}/members/invitations/{id}": {prepare: func(w *world, p place) map[string]string {
		w.invite(p, inviteOutsider)
		var listed struct{ Invitations []struct{ ID int64 } }
		w.list(w.as(store.RoleOwner), p.invitations(), &listed)
		return map[string]string{"id": strconv.FormatInt(listed.Invitations[0].ID, 10)}
	}},
	"POST /platform/organizations/{slug}/members/invitations/{token}":         {as: outsiderID, prepare: anInvitation},
	"POST /platform/organizations/{slug}/members/invitations/{token}/decline": {as: outsiderID, prepare: anInvitation},
	"PUT /platform/organizations/{slug}/members/{gotrue_id}/roles/{role_id}": {
		body: `{"name":"Developer","role_scoped_projects":["{ref}"]}`, prepare: aProjectRole,
	},
	"DELETE /platform/organizations/{slug}/members/{gotrue_id}/roles/{role_id}": {prepare: func(w *world, p place) map[string]string {
		other := w.runningProject(w.organizationID(p), "other")
		role := aProjectRole(w, p)
		w.scope(other, victimID, store.RoleReadOnly)
		return role
	}},
}

// auditedDay is the day of everything that the tests do.
const auditedDay = "iso_timestamp_start=2026-03-01T00:00:00Z&iso_timestamp_end=2026-03-02T00:00:00Z"

func goTrueAnswers(w *world, _ place) map[string]string {
	withGoTrue(w.t, w.bundle, http.StatusOK, `{}`)
	return nil
}

func aScopedToken(w *world, _ place) map[string]string {
	_, made := w.send(w.as(store.RoleOwner), http.MethodPost, scopedTokens, `{"name":"ci","permissions":["projects_read"]}`)
	return map[string]string{"id": made["id"].(string)}
}

func anInvitation(w *world, p place) map[string]string {
	return map[string]string{"token": w.invite(p, inviteOutsider)}
}

// aProjectRole makes the Developer of the place one in its project alone.
func aProjectRole(w *world, p place) map[string]string {
	w.t.Helper()
	w.exec(`update platform.members set role = null where organization_id = $1
		and profile_id = (select id from platform.profiles where gotrue_id = $2)`, w.organizationID(p), victimID)
	w.scope(p.ref, victimID, store.RoleDeveloper)
	return map[string]string{"role_id": strconv.FormatInt(w.roles(p, victimID)[0], 10)}
}

var projectExamples = map[string]example{
	"POST /platform/projects/{ref}/restore": {prepare: paused},
	"POST /v1/projects/{ref}/restore":       {prepare: paused},
}

// paused stops the place's project, as if the provisioner had.
func paused(w *world, p place) map[string]string {
	w.exec(`update platform.projects set status = 'INACTIVE', desired = 'inactive' where ref = $1`, p.ref)
	return nil
}
