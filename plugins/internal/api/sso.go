package api

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// SSOProvider is the identity provider that an organization has described. None is in force: the platform's GoTrue signs
// people in for all organizations alike, so it is always answered as switched off.
type SSOProvider struct {
	Enabled                bool     `json:"enabled" doc:"Always false: see the operator's own settings of GoTrue."`
	Domains                []string `json:"domains,omitempty" maxItems:"100"`
	MetadataXMLURL         *string  `json:"metadata_xml_url,omitempty" maxLength:"2048"`
	MetadataXMLFile        *string  `json:"metadata_xml_file,omitempty" maxLength:"524288"`
	EmailMapping           []string `json:"email_mapping" minItems:"1" maxItems:"20"`
	UserNameMapping        []string `json:"user_name_mapping,omitempty" maxItems:"20"`
	FirstNameMapping       []string `json:"first_name_mapping,omitempty" maxItems:"20"`
	LastNameMapping        []string `json:"last_name_mapping,omitempty" maxItems:"20"`
	JoinOrgOnSignupEnabled bool     `json:"join_org_on_signup_enabled"`
	JoinOrgOnSignupRole    *string  `json:"join_org_on_signup_role,omitempty" enum:"Administrator,Developer,Owner,Read-only"`
}

type ssoInput struct {
	SlugPath
	Body SSOProvider
}

const (
	// noSSO are the words by which Studio knows that none is set up (data/sso/sso-config-query.ts).
	noSSO = "Failed to find an existing SSO Provider"
	// ssoNotInForce is why none can be switched on, in the words that Studio shows.
	ssoNotInForce = "Single sign-on cannot be switched on for one organization: the platform's GoTrue signs people in for all of them alike. Save the settings switched off to keep them."
)

func (a *API) registerSSO() {
	const path = "/platform/organizations/{slug}/sso"
	change := access.InOrganization(access.Update, "organizations")
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InOrganization(access.Read, "organizations"),
		kind: Real, summary: "The identity provider that was described; it is not in force",
	}, a.getSSO)
	handle(a, route{
		method: http.MethodPost, path: path, permission: change, status: http.StatusCreated,
		kind: Real, summary: "Describe an identity provider, switched off",
	}, a.createSSO)
	handle(a, route{
		method: http.MethodPut, path: path, permission: change,
		kind: Real, summary: "Describe the identity provider anew, switched off",
	}, a.updateSSO)
	act(a, route{
		method: http.MethodDelete, path: path, permission: change,
		kind: Real, summary: "Forget the identity provider",
	}, a.deleteSSO)
}

func (a *API) getSSO(ctx context.Context, c *call, _ *SlugPath) (SSOProvider, error) {
	settings, err := a.store.OrganizationSSO(ctx, c.membership.ID)
	if err != nil {
		return SSOProvider{}, problem.OrNotFound(err, noSSO)
	}
	return ssoProviderOf(settings), nil
}

func (a *API) createSSO(ctx context.Context, c *call, in *ssoInput) (SSOProvider, error) {
	settings, err := in.Body.settings()
	if err != nil {
		return SSOProvider{}, err
	}
	return ssoProviderOf(settings), a.store.CreateOrganizationSSO(ctx, c.actor, c.membership.ID, settings)
}

func (a *API) updateSSO(ctx context.Context, c *call, in *ssoInput) (SSOProvider, error) {
	settings, err := in.Body.settings()
	if err != nil {
		return SSOProvider{}, err
	}
	err = a.store.UpdateOrganizationSSO(ctx, c.actor, c.membership.ID, settings)
	return ssoProviderOf(settings), problem.OrNotFound(err, noSSO)
}

func (a *API) deleteSSO(ctx context.Context, c *call, _ *SlugPath) error {
	return problem.OrNotFound(a.store.DeleteOrganizationSSO(ctx, c.actor, c.membership.ID), noSSO)
}

// settings checks what the form sent. Studio sends an empty text for the kind of metadata that was not given.
func (p SSOProvider) settings() (store.SSOSettings, error) {
	if p.Enabled {
		return store.SSOSettings{}, problem.BadRequest(ssoNotInForce)
	}
	address, document := nonEmpty(p.MetadataXMLURL), nonEmpty(p.MetadataXMLFile)
	if err := checkMetadata(address, document); err != nil {
		return store.SSOSettings{}, err
	}
	domains := []string{}
	for _, domain := range p.Domains {
		domain = strings.ToLower(strings.TrimSpace(domain))
		if !domainPattern.MatchString(domain) {
			return store.SSOSettings{}, problem.BadRequest("domains: each has to be a domain such as example.com.")
		}
		if !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return store.SSOSettings{
		Domains: domains, MetadataURL: address, MetadataXML: document, EmailMapping: p.EmailMapping,
		UserNameMapping: p.UserNameMapping, FirstNameMapping: p.FirstNameMapping, LastNameMapping: p.LastNameMapping,
		JoinOnSignUp: p.JoinOrgOnSignupEnabled, JoinRole: p.JoinOrgOnSignupRole,
	}, nil
}

// checkMetadata looks at the form alone: nothing is fetched from the address.
func checkMetadata(address, document *string) error {
	if address == nil && document == nil {
		return problem.BadRequest("Give the metadata of the identity provider, as an address or as a file.")
	}
	if address != nil {
		parsed, err := url.Parse(*address)
		if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" || parsed.User != nil {
			return problem.BadRequest("metadata_xml_url: has to be an http or https address without a password.")
		}
	}
	if document != nil && !isEntityDescriptor(*document) {
		return problem.BadRequest("metadata_xml_file: has to be SAML metadata, an XML document whose root is an EntityDescriptor.")
	}
	return nil
}

// isEntityDescriptor tells whether a text is well-formed XML with the root that SAML metadata has (SAML 2.0 Metadata, 2.3.2).
func isEntityDescriptor(text string) bool {
	decoder := xml.NewDecoder(strings.NewReader(text))
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root == "EntityDescriptor"
		}
		if err != nil {
			return false
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
}

func nonEmpty(text *string) *string {
	if text == nil || strings.TrimSpace(*text) == "" {
		return nil
	}
	trimmed := strings.TrimSpace(*text)
	return &trimmed
}

func ssoProviderOf(s store.SSOSettings) SSOProvider {
	return SSOProvider{
		Domains: s.Domains, MetadataXMLURL: s.MetadataURL, MetadataXMLFile: s.MetadataXML, EmailMapping: s.EmailMapping,
		UserNameMapping: s.UserNameMapping, FirstNameMapping: s.FirstNameMapping, LastNameMapping: s.LastNameMapping,
		JoinOrgOnSignupEnabled: s.JoinOnSignUp, JoinOrgOnSignupRole: s.JoinRole,
	}
}
