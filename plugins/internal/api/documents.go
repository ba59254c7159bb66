package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// noDocuments is why there are none, in the words that Studio shows.
const noDocuments = "Agreements and certificates are Supabase's, about its own cloud. Ask whoever runs this platform for theirs."

// DocumentSignedStatus says whether an agreement is signed: it is not.
type DocumentSignedStatus struct {
	CheckedAt time.Time `json:"checked_at"`
	Signed    bool      `json:"signed"`
}

func (a *API) registerDocuments() {
	const documents = "/platform/organizations/{slug}/documents"
	read := access.InOrganization(access.BillingRead, "stripe.subscriptions")
	handle(a, route{
		method: http.MethodGet, path: documents + "/dpa-signed", permission: read,
		kind: Empty, because: noDocuments, summary: "Whether a data processing agreement is signed: no",
	}, func(context.Context, *call, *none) (DocumentSignedStatus, error) {
		return DocumentSignedStatus{CheckedAt: a.now().UTC()}, nil
	})
	refuse(a, route{
		method: http.MethodPost, path: documents + "/dpa", summary: "Refused: no agreements",
		permission: access.InOrganization(access.BillingWrite, "stripe.subscriptions"),
	}, noDocuments)
	for _, path := range []string{"/iso27001-certificate", "/soc2-type-2-report", "/standard-security-questionnaire"} {
		missing(a, route{method: http.MethodGet, path: documents + path, permission: read, summary: "None: no certificates"}, noDocuments)
	}
}
