package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/store/storetest"
)

// standIn stands in for GoTrue: it notes what it is asked, and gives one answer.
type standIn struct {
	status int
	body   string

	path, query, forwarded string
	sent                   map[string]any
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.path, s.query, s.forwarded = r.URL.Path, r.URL.Query().Get("redirect_to"), r.Header.Get("X-Forwarded-For")
	sent, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(sent, &s.sent)
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// withGoTrue adds a GoTrue that gives one answer.
func withGoTrue(t *testing.T, b *bundle, status int, body string) *standIn {
	t.Helper()
	s := &standIn{status: status, body: body}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	b.gotrue = gotrue.New(server.URL)
	return s
}

const (
	signUp        = "/platform/signup"
	resetPassword = "/platform/reset-password"
)

// visit is the body that Studio sends for an address.
func visit(email string) string {
	return `{"email":"` + email + `","password":"Correct-horse-1","hcaptchaToken":"solved","redirectTo":"http://studio.example.com/sign-in?a=b"}`
}

func TestAVisitorIsPassedOnToGoTrue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]string{
		signUp:        `{"email":"ada@example.com","password":"Correct-horse-1","gotrue_meta_security":{"captcha_token":"solved"}}`,
		resetPassword: `{"email":"ada@example.com","gotrue_meta_security":{"captcha_token":"solved"}}`,
	} {
		standIn := withGoTrue(t, b, http.StatusOK, `{"id":"11111111-1111-4111-8111-111111111111","access_token":"a token that nobody asked for"}`)
		answer := b.raw("", http.MethodPost, path, visit("ada@example.com"))
		require.Equal(t, http.StatusCreated, answer.Code, answer.Body)
		require.Empty(t, answer.Body.String())
		sent, err := json.Marshal(standIn.sent)
		require.NoError(t, err)
		require.JSONEq(t, want, string(sent))
		require.Equal(t, map[string]string{signUp: "/signup", resetPassword: "/recover"}[path], standIn.path)
		require.Equal(t, "http://studio.example.com/sign-in?a=b", standIn.query)
		require.Equal(t, "192.0.2.1", standIn.forwarded, "httptest's client")
	}
}

func TestStudioWithoutACaptchaSendsNull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	standIn := withGoTrue(t, b, http.StatusOK, `{}`)
	answer := b.raw("", http.MethodPost, signUp, `{"email":"ada@example.com","password":"x","hcaptchaToken":null}`)
	require.Equal(t, http.StatusCreated, answer.Code, answer.Body)
	require.Equal(t, map[string]any{}, standIn.sent["gotrue_meta_security"])
}

// The answers are GoTrue's own, as its source has them.
func TestWhatGoTrueAnswersIsToldUnlessItTellsOfAnAccount(t *testing.T) {
	t.Parallel()
	const (
		exists      = `{"code":422,"error_code":"user_already_exists","msg":"User already registered"}`
		justSent    = `{"code":429,"error_code":"over_email_send_rate_limit","msg":"For security purposes, you can only request this after 42 seconds."}`
		allMails    = `{"code":429,"error_code":"over_email_send_rate_limit","msg":"email rate limit exceeded"}`
		tooOften    = `{"code":429,"error_code":"over_request_rate_limit","msg":"Request rate limit reached"}`
		captcha     = `{"code":400,"error_code":"captcha_failed","msg":"captcha protection: request disallowed (invalid-input-response)"}`
		weak        = `{"code":422,"error_code":"weak_password","msg":"Password should be at least 12 characters.","weak_password":{"reasons":["length"]}}`
		closed      = `{"code":422,"error_code":"signup_disabled","msg":"Signups not allowed for this instance"}`
		unwanted    = `{"code":400,"error_code":"email_address_not_authorized","msg":"Email address \"ada@example.com\" cannot be used as it is not authorized"}`
		mailFailed  = `{"code":500,"error_code":"unexpected_failure","msg":"Error sending recovery email","error_id":"1"}`
		noDatabase  = `{"code":500,"error_code":"unexpected_failure","msg":"Unable to process request"}`
		cannotReach = "The sign-in service cannot be reached. Try again in a moment."
	)
	tests := []struct {
		name, path   string
		status       int
		body         string
		want         int
		message      string
		code, logged string
	}{
		{"a new account", signUp, 200, `{}`, 201, "", "", ""},
		{"an account that is there", signUp, 422, exists, 201, "", "", ""},
		{"an account that waits for its confirmation", signUp, 429, justSent, 201, "", "", ""},
		{"a weak password", signUp, 422, weak, 422, "Password should be at least 12 characters.", "weak_password", ""},
		{"closed in GoTrue", signUp, 422, closed, 422, "Signups not allowed for this instance", "signup_disabled", ""},
		{"a captcha that is not solved", signUp, 400, captcha, 400, "captcha protection: request disallowed (invalid-input-response)", "captcha_failed", ""},
		{"too many mails to anybody", signUp, 429, allMails, 429, "email rate limit exceeded", "over_email_send_rate_limit", ""},
		{"a failure", signUp, 500, noDatabase, 503, cannotReach, "unavailable", "Unable to process request"},
		{"a gateway without GoTrue", signUp, 502, `<html>`, 503, cannotReach, "unavailable", "status 502"},
		{"something that is not GoTrue", signUp, 404, `{"message":"no Route matched with those values"}`, 503, cannotReach, "unavailable", "status 404"},

		{"no account, or one", resetPassword, 200, `{}`, 201, "", "", ""},
		{"an account that just got a mail", resetPassword, 429, justSent, 201, "", "", "can only request this"},
		{"an account, but too many mails", resetPassword, 429, allMails, 201, "", "", "email rate limit exceeded"},
		{"an account, but no mail to it", resetPassword, 400, unwanted, 201, "", "", "not authorized"},
		{"an account, but no mail server", resetPassword, 500, mailFailed, 201, "", "", "Error sending recovery email"},
		{"too many resets", resetPassword, 429, tooOften, 429, "Request rate limit reached", "over_request_rate_limit", ""},
		{"a reset whose captcha is not solved", resetPassword, 400, captcha, 400, "captcha protection: request disallowed (invalid-input-response)", "captcha_failed", ""},
		{"a reset without a database", resetPassword, 500, noDatabase, 503, cannotReach, "unavailable", "Unable to process request"},
		{"a reset without GoTrue", resetPassword, 502, ``, 503, cannotReach, "unavailable", "status 502"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			withGoTrue(t, b, test.status, test.body)
			status, answer := b.send("", http.MethodPost, test.path, visit("ada@example.com"))
			require.Equal(t, test.want, status, answer)
			if test.message == "" {
				require.Empty(t, answer)
			} else {
				require.Equal(t, map[string]any{"message": test.message, "code": test.code}, answer)
			}
			if test.logged == "" {
				require.Empty(t, b.logged.String())
			} else {
				require.Contains(t, b.logged.String(), test.logged)
			}
			require.NotContains(t, b.logged.String(), "Correct-horse-1")
		})
	}
}

func TestWithoutGoTrueNobodySignsUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{signUp, resetPassword} {
		status, answer := b.send("", http.MethodPost, path, visit("ada@example.com"))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, answer["message"], "PLURABASE_GOTRUE_URL")
	}
	server := httptest.NewServer(nil)
	server.Close()
	b.gotrue = gotrue.New(server.URL)
	for _, path := range []string{signUp, resetPassword} {
		status, answer := b.send("", http.MethodPost, path, visit("ada@example.com"))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "The sign-in service cannot be reached. Try again in a moment.", answer["message"])
	}
	require.NotContains(t, b.logged.String(), "redirect_to", "URLs hold tokens")
}

func TestTheOperatorSaysWhoMaySignUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		setting, email string
		want           int
	}{
		{"open", "ada@anywhere.org", 201},
		{"closed", "ada@example.com", 403},
		{"example.com", "ada@example.com", 201},
		{"example.com", "Ada@EXAMPLE.com", 201},
		{" Example.org , example.com", "ada@example.org", 201},
		{"example.com", "ada@sub.example.com", 403},
		{"example.com", "ada@notexample.com", 403},
		{"example.com", "ada@example.com.evil.org", 403},
		{"example.com", "ada@evil.org (@example.com)", 400},
		{"example.com", "Ada <ada@evil.org>", 400},
		{"example.com", "ada@evil.org,ada@example.com", 400},
		{"open", "ada", 400},
	}
	for _, test := range tests {
		t.Run(test.setting+" "+test.email, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			standIn := withGoTrue(t, b, http.StatusOK, `{}`)
			require.NoError(t, b.settings.SignUps.UnmarshalText([]byte(test.setting)))
			status, answer := b.send("", http.MethodPost, signUp, visit(test.email))
			require.Equal(t, test.want, status, answer)
			require.Equal(t, test.want == http.StatusCreated, standIn.path != "", "only who may sign up reaches GoTrue")
			status, _ = b.send("", http.MethodPost, resetPassword, visit("ada@elsewhere.net"))
			require.Equal(t, http.StatusCreated, status, "who has an account may always reset its password")
		})
	}
}

// The address that Studio's form sends them back to is as its source makes it: the page, and the form's own query beside.
func TestTheInvitedMaySignUpWhateverTheOperatorSaysOfOthers(t *testing.T) {
	t.Parallel()
	const invitedAddress = "user5@example.com"
	back := func(p place, token string) string {
		return "http://studio.example.com/join?returnTo=%2Fjoin%3Ftoken%3D" + token + "%26slug%3D" + p.slug + "&token=" + token + "&slug=" + p.slug
	}
	for _, setting := range []string{"closed", "example.org"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p, other := w.place(), w.place()
			require.NoError(t, w.settings.SignUps.UnmarshalText([]byte(setting)))
			token := w.invite(p, inviteOutsider)
			tests := map[string]struct {
				email, redirectTo string
				want              int
			}{
				"the invited":                {invitedAddress, back(p, token), http.StatusCreated},
				"the invited, in capitals":   {"User5@Example.COM", back(p, token), http.StatusCreated},
				"another address":            {"user6@example.com", back(p, token), http.StatusForbidden},
				"another organization":       {invitedAddress, back(other, token), http.StatusForbidden},
				"a guessed token":            {invitedAddress, back(p, strings.Repeat("0", 40)), http.StatusForbidden},
				"no token":                   {invitedAddress, back(p, ""), http.StatusForbidden},
				"another page":               {invitedAddress, "http://studio.example.com/sign-in?token=" + token + "&slug=" + p.slug, http.StatusForbidden},
				"nowhere to go back to":      {invitedAddress, "", http.StatusForbidden},
				"an address with more in it": {"Ada <" + invitedAddress + ">", back(p, token), http.StatusBadRequest},
			}
			refusals := map[string]bool{}
			for name, test := range tests {
				standIn := withGoTrue(t, w.bundle, http.StatusOK, `{}`)
				body, err := json.Marshal(map[string]string{"email": test.email, "password": "Correct-horse-1", "redirectTo": test.redirectTo})
				require.NoError(t, err)
				if test.redirectTo == "" {
					body = []byte(`{"email":"` + test.email + `","password":"Correct-horse-1"}`)
				}
				status, refusal := w.send("", http.MethodPost, signUp, string(body))
				require.Equal(t, test.want, status, "%s: %v", name, refusal)
				require.Equal(t, test.want == http.StatusCreated, standIn.path != "", name)
				if status == http.StatusForbidden {
					refusals[refusal["message"].(string)] = true
				}
			}
			require.Len(t, refusals, 1, "what is wrong with an invitation is not told")

			w.exec(`update platform.invitations set expires_at = $1`, storetest.Now)
			status, _ := w.send("", http.MethodPost, signUp, `{"email":"`+invitedAddress+`","password":"Correct-horse-1","redirectTo":"`+back(p, token)+`"}`)
			require.Equal(t, http.StatusForbidden, status, "an invitation that has expired")
		})
	}
}

func TestAWrongSettingOfSignUpsIsNamed(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"opne", "true", "example.com,", "@example.com", "*.example.com", "example.com example.org", "-a.com"} {
		require.ErrorContains(t, new(SignUps).UnmarshalText([]byte(setting)), "PLURABASE_SIGNUP", setting)
	}
}

func TestABodyThatIsTooLargeReachesNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	standIn := withGoTrue(t, b, http.StatusOK, `{}`)
	for body, want := range map[string]int{
		`{"email":"ada@example.com","password":"` + strings.Repeat("x", 2<<20) + `"}`: http.StatusRequestEntityTooLarge,
		`{"email":"ada@example.com","password":"` + strings.Repeat("x", 2<<10) + `"}`: http.StatusBadRequest,
		`{"email":"ada@example.com","password":""}`:                                   http.StatusBadRequest,
		`{"email":"ada@example.com"}`:                                                 http.StatusBadRequest,
	} {
		require.Equal(t, want, b.raw("", http.MethodPost, signUp, body).Code)
	}
	require.Empty(t, standIn.path)
}
