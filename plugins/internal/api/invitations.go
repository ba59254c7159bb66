package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// InvitationResponse lists an organization's open invitations.
type InvitationResponse struct {
	Invitations []Invitation `json:"invitations"`
}

// Invitation is an open invitation. Its token is in nobody's answer but the inviter's, where no mail could carry it.
type Invitation struct {
	ID           int64     `json:"id"`
	InvitedAt    time.Time `json:"invited_at"`
	InvitedEmail string    `json:"invited_email"`
	RoleID       int64     `json:"role_id"`
}

// CreatedInvitation is what the inviter is told.
type CreatedInvitation struct {
	Link string `json:"link,omitempty" doc:"For the invited. Absent where the mail with it was sent."`
}

// InvitationByTokenResponse is what Studio's page for the invited is told.
type InvitationByTokenResponse struct {
	AuthorizedUser    bool   `json:"authorized_user"`
	EmailMatch        bool   `json:"email_match"`
	ExpiredToken      bool   `json:"expired_token"`
	InviteID          *int64 `json:"invite_id,omitempty"`
	OrganizationName  string `json:"organization_name" doc:"Empty unless the token is good and yours."`
	SSOMismatch       bool   `json:"sso_mismatch"`
	TokenDoesNotExist bool   `json:"token_does_not_exist"`
}

type createInvitationInput struct {
	SlugPath
	Body struct {
		Email    string   `json:"email" format:"email" maxLength:"320"`
		RoleID   int16    `json:"role_id" minimum:"1" maximum:"4" doc:"A base role."`
		Projects []string `json:"role_scoped_projects,omitempty" maxItems:"1000" doc:"Refs. Absent or empty: the whole organization."`
	}
}

type invitationPath struct {
	Slug string `path:"slug"`
	ID   int64  `path:"id"`
}

type invitationTokenPath struct {
	Slug  string `path:"slug"`
	Token string `path:"token" maxLength:"100"`
}

func (a *API) registerInvitations() {
	const invitations = "/platform/organizations/{slug}/members/invitations"
	handle(a, route{
		method: http.MethodGet, path: invitations, permission: access.InOrganization(access.Read, "user_invites"),
		kind: Real, summary: "Open invitations",
	}, a.listInvitations)
	handle(a, route{
		method: http.MethodPost, path: invitations, permission: access.InOrganization(access.Create, "user_invites"),
		status: http.StatusCreated, kind: Real, summary: "Invite somebody, anew where an invitation is open",
	}, a.createInvitation)
	act(a, route{
		method: http.MethodDelete, path: invitations + "/{id}", permission: access.InOrganization(access.Delete, "user_invites"),
		kind: Real, summary: "Take an invitation back",
	}, a.revokeInvitation)
	handle(a, route{
		method: http.MethodGet, path: invitations + "/{token}", permission: access.SignedIn(),
		kind: Real, summary: "Whether an invitation is good, and yours",
	}, a.getInvitation)
	act(a, route{
		method: http.MethodPost, path: invitations + "/{token}", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Accept an invitation",
	}, a.acceptInvitation)
	act(a, route{
		method: http.MethodPost, path: invitations + "/{token}/decline", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Decline an invitation",
	}, a.declineInvitation)
}

func (a *API) listInvitations(ctx context.Context, c *call, _ *SlugPath) (InvitationResponse, error) {
	invitations, err := a.store.Invitations(ctx, c.membership.ID)
	if err != nil {
		return InvitationResponse{}, err
	}
	list := []Invitation{}
	for _, invitation := range invitations {
		if id, ok := invitedRole(invitation, c.membership.Roles); ok {
			list = append(list, Invitation{invitation.Number, invitation.InvitedAt, invitation.Email, int64(id)})
		}
	}
	return InvitationResponse{list}, nil
}

// invitedRole returns the id of an invitation's role, and false where the viewer may not know of its projects.
func invitedRole(invitation store.Invitation, viewer store.Roles) (store.RoleID, bool) {
	if invitation.Role.Valid() {
		return store.RoleID(invitation.Role), viewer.Role.Valid()
	}
	for _, scoped := range invitation.Scoped() {
		if len(visible(scoped.Projects, viewer)) > 0 {
			return scoped.ID, true
		}
	}
	return 0, false
}

func (a *API) createInvitation(ctx context.Context, c *call, in *createInvitationInput) (CreatedInvitation, error) {
	refs, err := parseRefs(in.Body.Projects)
	if err != nil {
		return CreatedInvitation{}, err
	}
	made, err := a.store.Invite(ctx, a.invitationChange(c), in.Body.Email, store.Role(in.Body.RoleID), refs)
	if err != nil {
		return CreatedInvitation{}, problem.OrNotFound(err, "Project not found")
	}
	link := a.invitationLink(c.membership.Slug, made.Token)
	if a.mail == nil {
		return CreatedInvitation{Link: link}, nil
	}
	message := invitationMail(made.Invitation, c.Profile.PrimaryEmail, link)
	if err := a.mail.Send(ctx, message); err != nil {
		a.log.ErrorContext(ctx, "an invitation's mail was not sent", "request_id", requestID(ctx), "error", err.Error())
		return CreatedInvitation{}, &problem.Problem{
			Status: http.StatusBadGateway, Code: "mail_not_sent",
			Message: fmt.Sprintf("The invitation is made, but the mail to %s could not be sent. Resend it, or pass this link on: %s", made.Email, link),
		}
	}
	return CreatedInvitation{}, nil
}

func (a *API) revokeInvitation(ctx context.Context, c *call, in *invitationPath) error {
	return problem.OrNotFound(a.store.RevokeInvitation(ctx, a.invitationChange(c), in.ID), "Invitation not found")
}

// getInvitation tells nothing about organizations to those who only guess.
func (a *API) getInvitation(ctx context.Context, c *call, in *invitationTokenPath) (InvitationByTokenResponse, error) {
	invitation, err := a.store.InvitationByToken(ctx, store.Slug(in.Slug), in.Token)
	if errors.Is(err, store.ErrNotFound) {
		return InvitationByTokenResponse{TokenDoesNotExist: true}, nil
	}
	if err != nil {
		return InvitationByTokenResponse{}, err
	}
	answer := InvitationByTokenResponse{
		EmailMatch:   invited(invitation, c),
		ExpiredToken: !a.now().Before(invitation.ExpiresAt),
	}
	answer.AuthorizedUser = answer.EmailMatch
	if answer.EmailMatch && !answer.ExpiredToken {
		answer.InviteID, answer.OrganizationName = &invitation.Number, invitation.OrganizationName
	}
	return answer, nil
}

func (a *API) acceptInvitation(ctx context.Context, c *call, in *invitationTokenPath) error {
	if err := a.checkInvited(ctx, c, in); err != nil {
		return err
	}
	return problem.OrNotFound(a.store.AcceptInvitation(ctx, c.actor, store.Slug(in.Slug), in.Token), noInvitation)
}

func (a *API) declineInvitation(ctx context.Context, c *call, in *invitationTokenPath) error {
	if err := a.checkInvited(ctx, c, in); err != nil {
		return err
	}
	return problem.OrNotFound(a.store.DeclineInvitation(ctx, c.actor, store.Slug(in.Slug), in.Token), noInvitation)
}

const noInvitation = "This invitation is not valid. It may have expired, been taken back, or been answered already."

// checkInvited refuses everybody but the invited, and sessions with too few factors for the organization. An invitation
// that is gone may be one that this very request has ended before: the store answers repetitions.
func (a *API) checkInvited(ctx context.Context, c *call, in *invitationTokenPath) error {
	invitation, err := a.store.InvitationByToken(ctx, store.Slug(in.Slug), in.Token)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !invited(invitation, c):
		return problem.New(http.StatusForbidden, "This invitation is to another e-mail address.")
	case invitation.MFARequired && !access.HasSecondFactor(c.Caller):
		return problem.SecondFactorMissing()
	default:
		return nil
	}
}

func invited(invitation store.Invitation, c *call) bool {
	return strings.EqualFold(invitation.Email, c.Profile.PrimaryEmail)
}

func (a *API) invitationChange(c *call) store.InvitationChange {
	return store.InvitationChange{
		Actor: c.actor, OrganizationID: c.membership.ID,
		Permit: func(taken, given []store.Role) error {
			if err := permitRoles(c, access.Delete, "user_invites", taken...); err != nil {
				return err
			}
			return permitRoles(c, access.Create, "user_invites", given...)
		},
	}
}

// joinPath is Studio's page for the invited.
const joinPath = "/join"

// invitationLink leads to Studio's page for the invited (pages/join.tsx).
func (a *API) invitationLink(slug store.Slug, token string) string {
	query := url.Values{"token": {token}, "slug": {string(slug)}}
	return strings.TrimSuffix(a.settings.PublicURL, "/") + joinPath + "?" + query.Encode()
}
