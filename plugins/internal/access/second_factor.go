package access

import "github.com/plurabase/plurabase/plugins/internal/identity"

// HasSecondFactor tells whether a caller may enter organizations that demand multi-factor authentication: in a session in
// which a second factor was verified, or by a personal access token, which nobody makes without a session.
func HasSecondFactor(caller identity.Caller) bool {
	return caller.AccessToken || caller.AAL == identity.AAL2
}
