package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/problem"
)

var _ huma.StatusError = (*problem.Problem)(nil)

func (a *API) problemOf(ctx context.Context, err error) *problem.Problem {
	return problem.Of(ctx, a.log, requestID(ctx), err)
}

// init sets what huma has one of in a process: its own errors, most of them of validation, get the platform's shape, and
// lists are never null (Studio crashes on them).
func init() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, message string, details ...error) huma.StatusError {
		return ofHuma(status, message, details)
	}
}

func ofHuma(status int, message string, details []error) *problem.Problem {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	// The first complaint is enough to go on with. It never repeats the value, which may be a password.
	for _, detail := range details {
		var located *huma.ErrorDetail
		if errors.As(detail, &located) {
			message = strings.TrimPrefix(located.Location, "body.") + ": " + located.Message
			break
		}
	}
	if status == http.StatusUnsupportedMediaType && strings.Contains(message, bundleType) {
		message = bundlesRefused
	}
	return problem.New(status, strings.TrimSuffix(message, ".")+".")
}
