package api

import (
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/store"
)

// invitationWords are what the mail is written from.
type invitationWords struct {
	Organization, Inviter, Link, Expires string
}

var invitationText = texttemplate.Must(texttemplate.New("text").Parse(`{{.Inviter}} invites you to join the organization "{{.Organization}}".

To accept, follow this link and sign in with this e-mail address:

{{.Link}}

The invitation is good until {{.Expires}}. If you did not expect it, there is nothing that you have to do.
`))

var invitationHTML = htmltemplate.Must(htmltemplate.New("html").Parse(`<!doctype html>
<p>{{.Inviter}} invites you to join the organization <strong>{{.Organization}}</strong>.</p>
<p><a href="{{.Link}}">Accept the invitation</a> and sign in with this e-mail address.</p>
<p>The invitation is good until {{.Expires}}. If you did not expect it, there is nothing that you have to do.</p>
`))

// invitationMail writes the mail to somebody who is invited. Names are other people's words: in HTML they are escaped,
// and the subject holds none of their line breaks.
func invitationMail(invitation store.Invitation, inviter, link string) mail.Message {
	words := invitationWords{
		Organization: invitation.OrganizationName, Inviter: inviter, Link: link,
		Expires: invitation.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST"),
	}
	var text, html strings.Builder
	for _, err := range []error{invitationText.Execute(&text, words), invitationHTML.Execute(&html, words)} {
		if err != nil { // the templates name nothing but fields, and a builder takes everything
			panic(err)
		}
	}
	return mail.Message{
		To:      invitation.Email,
		Subject: fmt.Sprintf("Join %s", strings.Join(strings.Fields(invitation.OrganizationName), " ")),
		Text:    text.String(), HTML: html.String(),
	}
}
