package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/mail/mailtest"
	"github.com/plurabase/plurabase/store"
)

const feedbackPath, someFeedback = "/platform/feedback/send",
	`{"category":"Feedback","message":"It is <slow>.","tags":[],"projectRef":"abc\nSubject: x","pathname":"/project/abc"}`

// Nobody reads it until an operator names an address: TestFeedbackGoesToTheOperator does.
var feedbackExamples = map[string]example{"POST /platform/feedback/send": {body: someFeedback, status: http.StatusBadRequest}}

func TestFeedbackGoesToTheOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place()
	by := w.as(store.RoleReadOnly)
	server := mailtest.New(t)
	var err error
	w.mail, err = mail.New(server.Settings)
	require.NoError(t, err)
	status, answer := w.send(by, http.MethodPost, feedbackPath, someFeedback)
	require.Equal(t, http.StatusBadRequest, status, "nobody would read it")
	require.Equal(t, feedbackUnread, answer["message"])
	require.Empty(t, server.Mails())

	w.settings.Instance.Feedback = "ops@example.com"
	status, answer = w.send(by, http.MethodPost, feedbackPath, someFeedback)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Len(t, server.Mails(), 1)
	sent := server.Mails()[0]
	require.Contains(t, sent, "<ops@example.com>")
	require.Contains(t, sent, "Subject: Studio: Feedback")
	require.Contains(t, sent, "From: user4@example.com")
	require.Contains(t, sent, "It is <slow>.")
	require.Contains(t, sent, "It is &lt;slow&gt;.")
	require.Contains(t, sent, "Project: abc Subject: x", "one line each")

	server.Refuse()
	status, answer = w.send(by, http.MethodPost, feedbackPath, someFeedback)
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, answer["message"], "could not be sent")
	for range feedbackAtOnce {
		status, _ = w.send(by, http.MethodPost, feedbackPath, someFeedback)
	}
	require.Equal(t, http.StatusTooManyRequests, status)
}
