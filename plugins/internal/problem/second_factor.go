package problem

import "net/http"

// SecondFactorMissing says that the organization demands multi-factor authentication and the session has one factor.
func SecondFactorMissing() *Problem {
	return &Problem{
		Status:  http.StatusForbidden,
		Message: "This organization requires multi-factor authentication. Set up or verify a second factor and try again.",
		Code:    "mfa_required",
	}
}
