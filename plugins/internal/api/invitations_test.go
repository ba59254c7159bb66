package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/mail/mailtest"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func (p place) invitations() string {
	return "/platform/organizations/" + p.slug + "/members/invitations"
}

// invite invites the outsider and returns the token, from the link that the inviter is given.
func (w *world) invite(p place, body string) string {
	w.t.Helper()
	status, made := w.send(w.as(store.RoleOwner), http.MethodPost, p.invitations(), body)
	require.Equal(w.t, http.StatusCreated, status, made)
	link, err := url.Parse(made["link"].(string))
	require.NoError(w.t, err)
	require.Equal(w.t, w.settings.PublicURL+"/join", link.Scheme+"://"+link.Host+link.Path)
	require.Equal(w.t, p.slug, link.Query().Get("slug"))
	return link.Query().Get("token")
}

func (w *world) outsider() string { return session(w.t, outsiderID, email(outsiderID)) }

const inviteOutsider = `{"email":"User5@Example.com","role_id":3}`

func TestANewOrganizationHasNoInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder := w.succeed(w.as(store.RoleOwner), http.MethodGet, w.place().invitations(), "")
	require.JSONEq(t, `{"invitations":[]}`, recorder.Body.String())
}

func TestTheInvitedAndNobodyElseJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	token := w.invite(p, inviteOutsider)
	path := p.invitations() + "/" + token

	_, seen := w.send(w.outsider(), http.MethodGet, path, "")
	require.Equal(t, "Acme", seen["organization_name"])
	require.Equal(t, true, seen["email_match"])
	require.Equal(t, false, seen["token_does_not_exist"])
	stranger := session(t, "77777777-7777-4777-8777-777777777777", "stranger@example.com")
	_, seen = w.send(stranger, http.MethodGet, path, "")
	require.Equal(t, false, seen["email_match"])
	require.Empty(t, seen["organization_name"])
	status, _ := w.send(stranger, http.MethodPost, path, "")
	require.Equal(t, http.StatusForbidden, status)
	status, _ = w.send(stranger, http.MethodPost, path+"/decline", "")
	require.Equal(t, http.StatusForbidden, status)

	w.succeed(w.outsider(), http.MethodPost, path, "")
	require.Equal(t, []int64{3}, w.roles(p, outsiderID))
	status, _ = w.send(w.outsider(), http.MethodPost, path, "")
	require.Equal(t, http.StatusNotFound, status, "a token is good once")
	_, listed := w.send(w.as(store.RoleOwner), http.MethodGet, p.invitations(), "")
	require.Empty(t, listed["invitations"])
}

func TestAGuessedTokenTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.invite(p, inviteOutsider)
	for _, slug := range []string{p.slug, "no-such-organization"} {
		_, seen := w.send(w.outsider(), http.MethodGet, "/platform/organizations/"+slug+"/members/invitations/"+"0000", "")
		require.Equal(t, true, seen["token_does_not_exist"])
		require.Empty(t, seen["organization_name"])
		status, _ := w.send(w.outsider(), http.MethodPost, "/platform/organizations/"+slug+"/members/invitations/"+"0000", "")
		require.Equal(t, http.StatusNotFound, status)
	}
}

func TestInvitationsAreRevokedDeclinedRenewedAndExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner := w.as(store.RoleOwner)

	first := w.invite(p, inviteOutsider)
	second := w.invite(p, inviteOutsider)
	require.NotEqual(t, first, second)
	_, seen := w.send(w.outsider(), http.MethodGet, p.invitations()+"/"+first, "")
	require.Equal(t, true, seen["token_does_not_exist"], "a renewed invitation ends the earlier one")

	_, listed := w.send(owner, http.MethodGet, p.invitations(), "")
	require.Len(t, listed["invitations"], 1)
	invitation := listed["invitations"].([]any)[0].(map[string]any)
	require.Equal(t, "user5@example.com", invitation["invited_email"])
	w.succeed(owner, http.MethodDelete, fmt.Sprintf("%s/%.0f", p.invitations(), invitation["id"]), "")
	status, _ := w.send(w.outsider(), http.MethodPost, p.invitations()+"/"+second, "")
	require.Equal(t, http.StatusNotFound, status)

	w.succeed(w.outsider(), http.MethodPost, p.invitations()+"/"+w.invite(p, inviteOutsider)+"/decline", "")
	require.Nil(t, w.roles(p, outsiderID))

	late := w.invite(p, inviteOutsider)
	w.exec(`update platform.invitations set expires_at = $1`, storetest.Now.Add(-time.Second))
	_, seen = w.send(w.outsider(), http.MethodGet, p.invitations()+"/"+late, "")
	require.Equal(t, true, seen["expired_token"])
	status, _ = w.send(w.outsider(), http.MethodPost, p.invitations()+"/"+late, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestAnInvitationToAProjectGivesThatOneAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	token := w.invite(p, `{"email":"user5@example.com","role_id":4,"role_scoped_projects":["`+p.ref+`"]}`)

	// Studio resends an invitation to projects by finding its role among those that are scoped to projects.
	_, listed := w.send(w.as(store.RoleOwner), http.MethodGet, p.invitations(), "")
	_, roles := w.send(w.as(store.RoleOwner), http.MethodGet, "/platform/organizations/"+p.slug+"/roles", "")
	scoped := roles["project_scoped_roles"].([]any)[0].(map[string]any)
	require.Equal(t, scoped["id"], listed["invitations"].([]any)[0].(map[string]any)["role_id"])
	require.InEpsilon(t, 4, scoped["base_role_id"], 0)

	w.succeed(w.outsider(), http.MethodPost, p.invitations()+"/"+token, "")
	status, _ := w.send(w.outsider(), http.MethodGet, "/platform/projects/"+p.ref, "")
	require.Equal(t, http.StatusOK, status)
	status, _ = w.send(w.outsider(), http.MethodDelete, "/platform/projects/"+p.ref, "")
	require.Equal(t, http.StatusForbidden, status)
	other := w.runningProject(w.organizationID(p), "other")
	status, _ = w.send(w.outsider(), http.MethodGet, "/platform/projects/"+other, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestInvitationsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	foreign := w.place()
	tests := []struct {
		name   string
		role   store.Role
		body   string
		status int
	}{
		{"an owner by an Administrator", store.RoleAdministrator, `{"email":"new@example.com","role_id":1}`, http.StatusForbidden},
		{"a member", store.RoleOwner, `{"email":"USER9@example.com","role_id":3}`, http.StatusConflict},
		{"another organization's project", store.RoleOwner, `{"email":"new@example.com","role_id":3,"role_scoped_projects":["` + foreign.ref + `"]}`, http.StatusNotFound},
		{"no address", store.RoleOwner, `{"email":"new","role_id":3}`, http.StatusBadRequest},
		{"no role", store.RoleOwner, `{"email":"new@example.com","role_id":9}`, http.StatusBadRequest},
	}
	for _, test := range tests {
		status, refusal := w.send(w.as(test.role), http.MethodPost, p.invitations(), test.body)
		require.Equal(t, test.status, status, "%s: %v", test.name, refusal)
	}
	w.invite(p, `{"email":"boss@example.com","role_id":1}`)
	status, _ := w.send(w.as(store.RoleAdministrator), http.MethodPost, p.invitations(), `{"email":"boss@example.com","role_id":3}`)
	require.Equal(t, http.StatusForbidden, status, "an owner's invitation is not an Administrator's to change")
}

func TestAnInvitationTravelsByMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	server := mailtest.New(t)
	sender, err := mail.New(server.Settings)
	require.NoError(t, err)
	w.mail = sender

	_, made := w.send(w.as(store.RoleOwner), http.MethodPost, p.invitations(), inviteOutsider)
	require.NotContains(t, made, "link", "the link is the invited's alone")
	require.Len(t, server.Mails(), 1)
	require.Contains(t, server.Mails()[0], "<user5@example.com>")
	link := regexp.MustCompile(`http://localhost:8000/join\?slug=3D` + p.slug + `&token=3D([0-9a-f]{40})`).FindStringSubmatch(server.Mails()[0])
	require.Len(t, link, 2, server.Mails()[0])
	w.succeed(w.outsider(), http.MethodPost, p.invitations()+"/"+link[1], "")
}

func TestAMailThatFailsIsToldAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	server := mailtest.New(t)
	server.Refuse()
	sender, err := mail.New(server.Settings)
	require.NoError(t, err)
	w.mail = sender

	status, refusal := w.send(w.as(store.RoleOwner), http.MethodPost, p.invitations(), inviteOutsider)
	require.Equal(t, http.StatusBadGateway, status)
	token := regexp.MustCompile(`token=([0-9a-f]{40})`).FindStringSubmatch(refusal["message"].(string))
	require.Len(t, token, 2, refusal)
	require.NotContains(t, w.logged.String(), token[1])
	w.succeed(w.outsider(), http.MethodPost, p.invitations()+"/"+token[1], "")
}

func TestAMailEscapesOtherPeoplesNames(t *testing.T) {
	t.Parallel()
	message := invitationMail(store.Invitation{OrganizationName: "<b>Acme\r\nBcc: x@example.com", Email: "a@example.com"}, "ada@example.com", "http://localhost/join?a=1&b=2")
	require.NotContains(t, message.HTML, "<b>")
	require.NotContains(t, message.Subject, "\n")
	require.Contains(t, message.Text, "http://localhost/join?a=1&b=2")
}
