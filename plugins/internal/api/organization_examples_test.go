package api

import (
	"net/http"

	"github.com/plurabase/plurabase/store"
)

var organizationExamples = map[string]example{
	"PATCH /platform/notifications":               {body: `[]`},
	"PUT /platform/update-email":                  {prepare: goTrueAnswers, body: `{"newEmail":"new@example.com"}`},
	"GET /platform/organizations/{slug}/sso":      {prepare: aDescribedProvider},
	"POST /platform/organizations/{slug}/sso":     {body: aProvider},
	"PUT /platform/organizations/{slug}/sso":      {prepare: aDescribedProvider, body: aProvider},
	"DELETE /platform/organizations/{slug}/sso":   {prepare: aDescribedProvider},
	"GET /platform/profile/access-tokens/{id}":    {prepare: anAccessToken},
	"DELETE /platform/profile/access-tokens/{id}": {prepare: anAccessToken},
}

func aDescribedProvider(w *world, p place) map[string]string {
	w.succeed(w.as(store.RoleOwner), http.MethodPost, "/platform/organizations/"+p.slug+"/sso", aProvider)
	return nil
}

func anAccessToken(w *world, _ place) map[string]string {
	w.succeed(w.as(store.RoleOwner), http.MethodPost, "/platform/profile/access-tokens", `{"name":"ci"}`)
	var id string
	if err := w.connection.QueryRow(w.t.Context(), `select max(id)::text from platform.access_tokens where scopes is null`).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return map[string]string{"id": id}
}
