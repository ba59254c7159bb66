package api

import (
	"fmt"
	"html"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/store"
)

// The mail to somebody who is invited: by whom, to which organization, until when, and the link. They are no templates of Go's,
// whose package makes the linker keep every method of every type: 4 MB of the plugin's executable.
const (
	invitationText = `%[1]s invites you to join the organization "%[2]s".

To accept, follow this link and sign in with this e-mail address:

%[4]s

The invitation is good until %[3]s. If you did not expect it, there is nothing that you have to do.
`
	invitationHTML = `<!doctype html>
<p>%[1]s invites you to join the organization <strong>%[2]s</strong>.</p>
<p><a href="%[4]s">Accept the invitation</a> and sign in with this e-mail address.</p>
<p>The invitation is good until %[3]s. If you did not expect it, there is nothing that you have to do.</p>
`
)

// invitationMail writes the mail to somebody who is invited. Names are other people's words: in HTML they are escaped,
// and the subject holds none of their line breaks.
func invitationMail(invitation store.Invitation, inviter, link string) mail.Message {
	organization, expires := invitation.OrganizationName, invitation.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST")
	return mail.Message{
		To:      invitation.Email,
		Subject: fmt.Sprintf("Join %s", strings.Join(strings.Fields(organization), " ")),
		Text:    fmt.Sprintf(invitationText, inviter, organization, expires, link),
		HTML:    fmt.Sprintf(invitationHTML, html.EscapeString(inviter), html.EscapeString(organization), expires, html.EscapeString(link)),
	}
}
