package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

const (
	// noFeedback is told to whoever writes something that is meant to be read.
	noFeedback = "Nobody at Supabase reads what is written on a self-hosted platform, so it was not sent. Write to whoever runs this platform."
	// noSurvey is what becomes of what Studio asks when somebody deletes a project or changes a plan.
	noSurvey = "Answers to Studio's surveys are not kept, and not sent anywhere."
)

// FeedbackResponse says what became of what was written.
type FeedbackResponse struct {
	Result string `json:"result"`
}

// registerFeedback refuses what somebody takes the time to write, and drops what Studio demands in passing: an error there
// would look as if the project had not been deleted.
func (a *API) registerFeedback() {
	const feedback = "/platform/feedback"
	for _, path := range []string{"/docs", "/send"} {
		refuse(a, route{method: http.MethodPost, path: feedback + path, permission: access.SignedIn(), summary: "Refused: nobody would read it"}, noFeedback)
	}
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
