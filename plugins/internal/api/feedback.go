package api

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"math"
	"net/http"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

const (
	// noFeedback is told to whoever writes what Supabase's own people are meant to read.
	noFeedback = "Nobody at Supabase reads what is written on a self-hosted platform, so it was not sent. Write to whoever runs this platform."
	// feedbackUnread is told where the operator wants no mails.
	feedbackUnread = "Whoever runs this platform has named no address for what is written here, so it was not sent. Write to them directly."
	// noSurvey is what becomes of what Studio asks when somebody deletes a project or changes a plan.
	noSurvey = "Answers to Studio's surveys are not kept, and not sent anywhere."

	// feedbackAtOnce is how many mails one address may write at once, and feedbackPerSecond how many more it may as time goes on.
	feedbackAtOnce    = 10
	feedbackPerSecond = 1.0 / 60
)

// FeedbackBody is what somebody writes in Studio's feedback or support form. What Studio adds for Supabase's own desk is passed over.
type FeedbackBody struct {
	Category         string `json:"category" maxLength:"100"`
	Message          string `json:"message" minLength:"1" maxLength:"20000"`
	Subject          string `json:"subject,omitempty" maxLength:"200"`
	Severity         string `json:"severity,omitempty" maxLength:"100"`
	OrganizationSlug string `json:"organizationSlug,omitempty" maxLength:"100"`
	ProjectRef       string `json:"projectRef,omitempty" maxLength:"100"`
	Pathname         string `json:"pathname,omitempty" maxLength:"2000"`
}

type feedbackInput struct{ Body FeedbackBody }

// FeedbackResponse says what became of what was written.
type FeedbackResponse struct {
	Result string `json:"result"`
}

// registerFeedback passes on what somebody takes the time to write, or refuses it, and drops what Studio demands in passing: an error there
// would look as if the project had not been deleted.
func (a *API) registerFeedback() {
	const feedback = "/platform/feedback"
	refuse(a, route{method: http.MethodPost, path: feedback + "/docs", permission: access.SignedIn(), summary: "Refused: nobody would read it"}, noFeedback)
	handle(a, route{
		method: http.MethodPost, path: feedback + "/send", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Write to whoever runs the platform, where they named an address",
	}, a.sendFeedback)
	refuse(a, route{
		method: http.MethodPatch, path: feedback + "/conversations/{conversation_id}/custom-fields", permission: access.SignedIn(),
		summary: "Refused: there is no support desk",
	}, noFeedback)
	for _, path := range []string{"/downgrade", "/upgrade"} {
		handle(a, route{
			method: http.MethodPost, path: feedback + path, permission: access.SignedIn(), status: http.StatusCreated,
			kind: Empty, because: noSurvey, summary: "Dropped: surveys are not kept",
		}, func(context.Context, *call, *none) (FeedbackResponse, error) {
			return FeedbackResponse{Result: noSurvey}, nil
		})
	}
}

func (a *API) sendFeedback(ctx context.Context, c *call, in *feedbackInput) (FeedbackResponse, error) {
	to := a.settings.Instance.Feedback
	if to == "" || a.mail == nil {
		return FeedbackResponse{}, problem.BadRequest(feedbackUnread)
	}
	if c.actor.Address.IsValid() {
		if wait := a.feedback.Count(c.actor.Address); wait > 0 {
			return FeedbackResponse{}, problem.New(http.StatusTooManyRequests,
				fmt.Sprintf("Too much was written from here. Try again in %.0f seconds.", math.Ceil(wait.Seconds())))
		}
	}
	if err := a.store.Once(ctx, c.actor, store.AuditEntry{Action: "feedback.send"}); err != nil {
		return FeedbackResponse{}, err
	}
	if err := a.mail.Send(ctx, feedbackMail(to, c.Profile.PrimaryEmail, in.Body)); err != nil {
		a.log.ErrorContext(ctx, "feedback was not sent", "request_id", requestID(ctx), "error", err.Error())
		return FeedbackResponse{}, &problem.Problem{
			Status: http.StatusBadGateway, Code: "mail_not_sent", Message: "The mail to whoever runs this platform could not be sent. Try again later.",
		}
	}
	return FeedbackResponse{Result: "It was sent to whoever runs this platform."}, nil
}

// feedbackMail passes somebody's words on. What they say of projects is theirs to say: nothing here was looked up.
func feedbackMail(to, from string, body FeedbackBody) mail.Message {
	var about strings.Builder
	for _, line := range [][2]string{
		{"From", from},
		{"Category", body.Category},
		{"Severity", body.Severity},
		{"Organization", body.OrganizationSlug},
		{"Project", body.ProjectRef},
		{"Page", body.Pathname},
	} {
		if line[1] != "" {
			fmt.Fprintf(&about, "%s: %s\n", line[0], strings.Join(strings.Fields(line[1]), " "))
		}
	}
	text := about.String() + "\n" + body.Message + "\n"
	return mail.Message{
		To: to, Subject: "Studio: " + strings.Join(strings.Fields(cmp.Or(body.Subject, body.Category, "feedback")), " "),
		Text: text, HTML: "<!doctype html>\n<pre>" + html.EscapeString(text) + "</pre>\n",
	}
}
