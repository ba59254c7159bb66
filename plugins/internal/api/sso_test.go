package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// aProvider is what Studio's form sends: an empty text for the file that was not chosen.
const aProvider = `{"enabled":false,"domains":["Example.com","example.com"],"metadata_xml_file":"","metadata_xml_url":"https://idp.example.com/metadata",
	"email_mapping":["mail"],"first_name_mapping":[],"last_name_mapping":[],"user_name_mapping":["uid"],
	"join_org_on_signup_enabled":true,"join_org_on_signup_role":"Developer"}`

func TestAnIdentityProviderIsKeptAndSaidNotToBeInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	path, owner := "/platform/organizations/"+p.slug+"/sso", w.as(store.RoleOwner)
	none := func() {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			status, refusal := w.send(owner, method, path, "")
			require.Equal(t, http.StatusNotFound, status)
			require.Equal(t, "Failed to find an existing SSO Provider", refusal["message"])
		}
		status, _ := w.send(owner, http.MethodPut, path, aProvider)
		require.Equal(t, http.StatusNotFound, status)
	}
	none()
	status, made := w.send(owner, http.MethodPost, path, aProvider)
	require.Equal(t, http.StatusCreated, status, made)
	_, seen := w.send(w.as(store.RoleReadOnly), http.MethodGet, path, "")
	require.Equal(t, made, seen)
	require.Equal(t, []any{"example.com"}, seen["domains"])
	require.Equal(t, "https://idp.example.com/metadata", seen["metadata_xml_url"])
	require.NotContains(t, seen, "metadata_xml_file")
	require.Equal(t, false, seen["enabled"])
	status, _ = w.send(owner, http.MethodPost, path, aProvider)
	require.Equal(t, http.StatusConflict, status)

	w.succeed(owner, http.MethodPut, path, `{"enabled":false,"metadata_xml_file":"<md:EntityDescriptor xmlns:md=\"m\"><a/></md:EntityDescriptor>",
		"email_mapping":["email"],"join_org_on_signup_enabled":false}`)
	_, seen = w.send(owner, http.MethodGet, path, "")
	require.Equal(t, []any{"email"}, seen["email_mapping"])
	require.NotContains(t, seen, "metadata_xml_url")
	require.Contains(t, w.succeed(owner, http.MethodGet, "/platform/organizations/"+p.slug+"/audit"+today, "").Body.String(), "organizations.sso.update")
	w.succeed(owner, http.MethodDelete, path, "")
	none()
}

func TestIdentityProvidersThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path, owner := "/platform/organizations/"+w.place().slug+"/sso", w.as(store.RoleOwner)
	for body, want := range map[string]string{
		`{"enabled":true,"metadata_xml_url":"https://a.example","email_mapping":["a"],"join_org_on_signup_enabled":false}`:                    ssoNotInForce,
		`{"enabled":false,"metadata_xml_url":"","email_mapping":["a"],"join_org_on_signup_enabled":false}`:                                    "Give the metadata of the identity provider, as an address or as a file.",
		`{"enabled":false,"metadata_xml_url":"file:///etc/passwd","email_mapping":["a"],"join_org_on_signup_enabled":false}`:                  "metadata_xml_url: has to be an http or https address without a password.",
		`{"enabled":false,"metadata_xml_file":"<html></html>","email_mapping":["a"],"join_org_on_signup_enabled":false}`:                      "metadata_xml_file: has to be SAML metadata, an XML document whose root is an EntityDescriptor.",
		`{"enabled":false,"metadata_xml_file":"<EntityDescriptor>","email_mapping":["a"],"join_org_on_signup_enabled":false}`:                 "metadata_xml_file: has to be SAML metadata, an XML document whose root is an EntityDescriptor.",
		`{"enabled":false,"metadata_xml_url":"https://a.example","domains":["a b"],"email_mapping":["a"],"join_org_on_signup_enabled":false}`: "domains: each has to be a domain such as example.com.",
	} {
		status, refusal := w.send(owner, http.MethodPost, path, body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Equal(t, want, refusal["message"])
	}
	status, _ := w.send(owner, http.MethodGet, path, "")
	require.Equal(t, http.StatusNotFound, status, "nothing was kept")
}
