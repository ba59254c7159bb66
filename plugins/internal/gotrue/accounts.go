package gotrue

import (
	"errors"
	"slices"
	"strings"
)

// GoTrue's error codes (its apierrors/errorcode.go) that say something of an account, or of what comes before one is looked for.
const (
	codeUserExists      = "user_already_exists"
	codeTooManyMails    = "over_email_send_rate_limit"
	codeTooManyRequests = "over_request_rate_limit"
	codeCaptcha         = "captcha_failed"
	codeNoEmail         = "email_provider_disabled"
	codeValidation      = "validation_failed"
)

// justSent begins what GoTrue says to the owner of an account who got such a mail a moment ago (its
// generateFrequencyLimitErrorMessage). The code is the same where it has sent too many mails to anybody.
const justSent = "For security purposes, you can only request this"

// What GoTrue says when it could not check a captcha (its verifyCaptcha), or not look for an account (its Recover).
const (
	captchaFailure = "captcha verification process failed"
	lookupFailure  = "Unable to process request"
)

// TellsOfAccount tells whether a sign-up was refused because the address has an account, confirmed or not.
func (e *RefusalError) TellsOfAccount() bool {
	return e.Code == codeUserExists || e.Code == codeTooManyMails && strings.HasPrefix(e.Message, justSent)
}

// TellsOfRecovery tells whether an error of Recover gives away that the address has an account: all do that GoTrue answers with,
// but for those from before it has looked for one.
func TellsOfRecovery(err error) bool {
	var refusal *RefusalError
	var failure *FailureError
	switch {
	case errors.As(err, &refusal):
		return !slices.Contains([]string{codeTooManyRequests, codeCaptcha, codeNoEmail, codeValidation}, refusal.Code)
	case errors.As(err, &failure):
		return !slices.Contains([]string{captchaFailure, lookupFailure}, failure.Message)
	default:
		return false
	}
}
