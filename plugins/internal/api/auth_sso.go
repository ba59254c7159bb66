package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/services"
)

// V1SSOProvider is an identity provider that the project's users sign in by.
type V1SSOProvider struct {
	ID        string        `json:"id"`
	SAML      *V1SAML       `json:"saml,omitempty"`
	Domains   []V1SSODomain `json:"domains,omitempty"`
	CreatedAt string        `json:"created_at,omitempty"`
	UpdatedAt string        `json:"updated_at,omitempty"`
}

// V1SAML is what Auth knows of an identity provider. Auth keeps its own id of it to itself: it is the provider's here.
type V1SAML struct {
	ID               string         `json:"id"`
	EntityID         string         `json:"entity_id"`
	MetadataURL      string         `json:"metadata_url,omitempty"`
	MetadataXML      string         `json:"metadata_xml,omitempty"`
	AttributeMapping map[string]any `json:"attribute_mapping,omitempty"`
	NameIDFormat     string         `json:"name_id_format,omitempty"`
}

// V1SSODomain is a domain whose users sign in by a provider. It is its own id: Auth keeps its to itself.
type V1SSODomain struct {
	ID        string `json:"id"`
	Domain    string `json:"domain,omitempty"`
	CreatedAt string `json:"created_at,omitempty"`
	UpdatedAt string `json:"updated_at,omitempty"`
}

// V1SSOProviderList lists the identity providers of a project.
type V1SSOProviderList struct {
	Items []V1SSOProvider `json:"items"`
}

// V1SSOProviderBody is an identity provider, or what is to be changed of one. Auth checks it.
type V1SSOProviderBody struct {
	Type             string         `json:"type,omitempty" enum:"saml"`
	MetadataURL      string         `json:"metadata_url,omitempty" maxLength:"2048"`
	MetadataXML      string         `json:"metadata_xml,omitempty"`
	Domains          []string       `json:"domains,omitempty" maxItems:"100"`
	AttributeMapping map[string]any `json:"attribute_mapping,omitempty"`
	NameIDFormat     string         `json:"name_id_format,omitempty"`
}

type createSSOProviderInput struct {
	Ref  string `path:"ref"`
	Body V1SSOProviderBody
}

type ssoProviderPath struct {
	Ref string `path:"ref"`
	ID  string `path:"provider_id" format:"uuid"`
}

type updateSSOProviderInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"provider_id" format:"uuid"`
	Body V1SSOProviderBody
}

func (a *API) registerAuthSSO() {
	const list, one = "/v1/projects/{ref}/config/auth/sso/providers", "/v1/projects/{ref}/config/auth/sso/providers/{provider_id}"
	read, update := access.InProject(access.Read, "custom_config_gotrue"), access.InProject(access.Update, "custom_config_gotrue")
	handle(a, route{
		method: http.MethodGet, path: list, permission: read, kind: Proxied, summary: "The identity providers that users sign in by",
	}, a.v1ListSSOProviders)
	handle(a, route{
		method: http.MethodPost, path: list, permission: update, status: http.StatusCreated, kind: Proxied, summary: "Add an identity provider",
	}, a.v1CreateSSOProvider)
	handle(a, route{
		method: http.MethodGet, path: one, permission: read, kind: Proxied, summary: "One identity provider",
	}, a.v1GetSSOProvider)
	handle(a, route{
		method: http.MethodPut, path: one, permission: update, kind: Proxied, summary: "Change an identity provider",
	}, a.v1UpdateSSOProvider)
	handle(a, route{
		method: http.MethodDelete, path: one, permission: update, kind: Proxied, summary: "Remove an identity provider",
	}, a.v1DeleteSSOProvider)
}

func (a *API) v1ListSSOProviders(ctx context.Context, c *call, _ *refPath) (V1SSOProviderList, error) {
	list := V1SSOProviderList{}
	err := a.askJSON(ctx, c, authService, services.Request{Method: http.MethodGet, Path: []string{"admin", "sso", "providers"}}, &list)
	shown := V1SSOProviderList{Items: make([]V1SSOProvider, len(list.Items))}
	for i, one := range list.Items {
		shown.Items[i] = one.withIDs()
	}
	return shown, err
}

func (a *API) v1CreateSSOProvider(ctx context.Context, c *call, in *createSSOProviderInput) (V1SSOProvider, error) {
	return a.askSSO(ctx, c, services.Request{Method: http.MethodPost, Path: []string{"admin", "sso", "providers"}, Body: in.Body})
}

func (a *API) v1GetSSOProvider(ctx context.Context, c *call, in *ssoProviderPath) (V1SSOProvider, error) {
	return a.askSSO(ctx, c, services.Request{Method: http.MethodGet, Path: []string{"admin", "sso", "providers", in.ID}})
}

func (a *API) v1UpdateSSOProvider(ctx context.Context, c *call, in *updateSSOProviderInput) (V1SSOProvider, error) {
	return a.askSSO(ctx, c, services.Request{Method: http.MethodPut, Path: []string{"admin", "sso", "providers", in.ID}, Body: in.Body})
}

func (a *API) v1DeleteSSOProvider(ctx context.Context, c *call, in *ssoProviderPath) (V1SSOProvider, error) {
	return a.askSSO(ctx, c, services.Request{Method: http.MethodDelete, Path: []string{"admin", "sso", "providers", in.ID}})
}

func (a *API) askSSO(ctx context.Context, c *call, r services.Request) (V1SSOProvider, error) {
	var provider V1SSOProvider
	err := a.askJSON(ctx, c, authService, r, &provider)
	return provider.withIDs(), err
}

func (p V1SSOProvider) withIDs() V1SSOProvider {
	if p.SAML != nil {
		p.SAML.ID = p.ID
	}
	for i := range p.Domains {
		p.Domains[i].ID = p.Domains[i].Domain
	}
	return p
}
