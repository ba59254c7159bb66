package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1CustomHostname is a name of its own that a project is to be reached by, in the words of upstream's provider of such names.
type V1CustomHostname struct {
	Status         string               `json:"status" enum:"1_not_started,2_initiated,3_challenge_verified,4_origin_setup_completed,5_services_reconfigured"`
	CustomHostname string               `json:"custom_hostname"`
	Data           V1CustomHostnameData `json:"data"`
}

// V1CustomHostnameData wraps the details.
type V1CustomHostnameData struct {
	Success  bool                   `json:"success"`
	Errors   []any                  `json:"errors"`
	Messages []any                  `json:"messages"`
	Result   V1CustomHostnameResult `json:"result"`
}

// V1CustomHostnameResult says what the name's owner has to do.
type V1CustomHostnameResult struct {
	ID                    string              `json:"id"`
	Hostname              string              `json:"hostname"`
	SSL                   V1CustomHostnameSSL `json:"ssl" doc:"Certificates are the operator's."`
	OwnershipVerification V1DNSRecord         `json:"ownership_verification"`
	CustomOriginServer    string              `json:"custom_origin_server" doc:"What the name has to be a CNAME of."`
	VerificationErrors    []string            `json:"verification_errors"`
	Status                string              `json:"status"`
}

// V1CustomHostnameSSL is the state of the name's certificate.
type V1CustomHostnameSSL struct {
	Status            string        `json:"status"`
	ValidationRecords []V1TXTRecord `json:"validation_records"`
}

// V1DNSRecord is a record that has to be there.
type V1DNSRecord struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// V1TXTRecord is a TXT record that has to be there.
type V1TXTRecord struct {
	Name  string `json:"txt_name"`
	Value string `json:"txt_value"`
}

// V1CustomHostnameBody names the name.
type V1CustomHostnameBody struct {
	CustomHostname string `json:"custom_hostname" minLength:"1" maxLength:"253"`
}

// V1VanitySubdomain is what a project is called besides its ref.
type V1VanitySubdomain struct {
	Status       string `json:"status" enum:"not-used,custom-domain-used,active"`
	CustomDomain string `json:"custom_domain,omitempty"`
}

// V1VanitySubdomainBody names the name.
type V1VanitySubdomainBody struct {
	VanitySubdomain string `json:"vanity_subdomain" minLength:"1" maxLength:"63"`
}

// V1ActivatedVanitySubdomain is where the project is reached now, besides.
type V1ActivatedVanitySubdomain struct {
	CustomDomain string `json:"custom_domain"`
}

// V1SubdomainAvailability tells whether a name can be had.
type V1SubdomainAvailability struct {
	Available bool `json:"available"`
}

type customHostnameInput struct {
	Ref  string `path:"ref"`
	Body V1CustomHostnameBody
}

type vanitySubdomainInput struct {
	Ref  string `path:"ref"`
	Body V1VanitySubdomainBody
}

func (a *API) registerHostnames() {
	const custom, vanity = "/v1/projects/{ref}/custom-hostname", "/v1/projects/{ref}/vanity-subdomain"
	read, write := access.InProject(access.Read, "projects"), access.InProject(access.Update, "projects")
	handle(a, route{method: http.MethodGet, path: custom, permission: read, kind: Real, summary: "The project's own hostname"}, a.v1CustomHostname)
	handle(a, route{
		method: http.MethodPost, path: custom + "/initialize", permission: write, status: http.StatusCreated, kind: Real, summary: "Begin with a hostname of the project's own",
	}, a.v1InitializeHostname)
	handle(a, route{
		method: http.MethodPost, path: custom + "/reverify", permission: write, status: http.StatusCreated, kind: Real,
		summary: "Look whether the hostname's TXT record shows whose it is",
	}, a.v1ReverifyHostname)
	handle(a, route{
		method: http.MethodPost, path: custom + "/activate", permission: write, status: http.StatusCreated, kind: Real,
		summary: "Serve the project by its own hostname, where the operator lets the gateway have it",
	}, a.v1ActivateHostname)
	act(a, route{method: http.MethodDelete, path: custom, permission: write, kind: Real, summary: "Give the project's own hostname up"}, a.v1DeleteHostname)

	handle(a, route{method: http.MethodGet, path: vanity, permission: read, kind: Real, summary: "What the project is called besides its ref"}, a.v1VanitySubdomain)
	handle(a, route{
		method: http.MethodPost, path: vanity + "/check-availability", permission: write, status: http.StatusCreated, kind: Real, summary: "Whether a subdomain can be had",
	}, a.v1CheckVanitySubdomain)
	handle(a, route{
		method: http.MethodPost, path: vanity + "/activate", permission: write, status: http.StatusCreated, kind: Real, summary: "Serve the project by a subdomain besides its ref",
	}, a.v1ActivateVanitySubdomain)
	act(a, route{method: http.MethodDelete, path: vanity, permission: write, kind: Real, summary: "Give the subdomain up"}, a.v1DeleteVanitySubdomain)
}

// noHostname has the words by which Studio knows that there is none (data/custom-domains/custom-domains-query.ts).
const noHostname = "The project has no custom hostname configuration."

// challengeName is where the TXT record of a name has to be.
func challengeName(hostname string) string { return "_plurabase-challenge." + hostname }

func (a *API) v1HostnameOf(ref store.Ref, h store.CustomHostname, complaints ...string) V1CustomHostname {
	status, result, ssl := "2_initiated", "pending", "pending_validation"
	switch {
	case h.Active:
		status, result, ssl = "5_services_reconfigured", "active", "active"
	case h.VerifiedAt != nil:
		status, result, ssl = "4_origin_setup_completed", "active", "active"
	}
	return V1CustomHostname{Status: status, CustomHostname: h.Hostname, Data: V1CustomHostnameData{
		Success: true, Errors: []any{}, Messages: []any{},
		Result: V1CustomHostnameResult{
			ID: h.Challenge, Hostname: h.Hostname, Status: result,
			SSL:                   V1CustomHostnameSSL{Status: ssl, ValidationRecords: []V1TXTRecord{}},
			OwnershipVerification: V1DNSRecord{Type: "txt", Name: challengeName(h.Hostname), Value: h.Challenge},
			CustomOriginServer:    a.projectHost(string(ref)), VerificationErrors: append([]string{}, complaints...),
		},
	}}
}

// projectHost is a name under the projects' domain, without a port.
func (a *API) projectHost(label string) string {
	domain, _, found := strings.Cut(a.settings.ProjectDomain, ":")
	if !found {
		domain = a.settings.ProjectDomain
	}
	return label + "." + domain
}

func (a *API) v1CustomHostname(ctx context.Context, c *call, _ *refPath) (V1CustomHostname, error) {
	found, err := a.store.CustomHostname(ctx, c.project.ID)
	return a.v1HostnameOf(c.project.Ref, found), problem.OrNotFound(err, noHostname)
}

// dnsName is a name with at least one dot in it, in lower case, that ends in letters: no address is one.
var dnsName = pattern(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (a *API) v1InitializeHostname(ctx context.Context, c *call, in *customHostnameInput) (V1CustomHostname, error) {
	name := strings.TrimSuffix(strings.ToLower(in.Body.CustomHostname), ".")
	if !dnsName().MatchString(name) {
		return V1CustomHostname{}, problem.BadRequest("The custom_hostname has to be a hostname such as api.example.com.")
	}
	if a.isOurs(name) {
		return V1CustomHostname{}, problem.BadRequest("This hostname is the platform's own.")
	}
	begun, err := a.store.InitializeCustomHostname(ctx, c.actor, c.project.Ref, name)
	return a.v1HostnameOf(c.project.Ref, begun), err
}

// isOurs tells whether a name is the platform's, or under the projects' domain.
func (a *API) isOurs(name string) bool {
	public, err := url.Parse(a.settings.PublicURL)
	if err == nil && name == strings.ToLower(public.Hostname()) {
		return true
	}
	domain := strings.TrimPrefix(a.projectHost(""), ".")
	return name == domain || strings.HasSuffix(name, "."+domain)
}

func (a *API) v1ReverifyHostname(ctx context.Context, c *call, _ *refPath) (V1CustomHostname, error) {
	found, err := a.store.CustomHostname(ctx, c.project.ID)
	if err != nil {
		return V1CustomHostname{}, problem.OrNotFound(err, noHostname)
	}
	if found.VerifiedAt != nil {
		return a.v1HostnameOf(c.project.Ref, found), nil
	}
	records, err := a.lookupTXT(ctx, challengeName(found.Hostname))
	if err != nil || !slices.Contains(records, found.Challenge) {
		return a.v1HostnameOf(c.project.Ref, found, dnsComplaint(found, err)), nil
	}
	verified, err := a.store.VerifyCustomHostname(ctx, c.actor, c.project.Ref, found.Hostname)
	return a.v1HostnameOf(c.project.Ref, verified), problem.OrNotFound(err, noHostname)
}

func dnsComplaint(h store.CustomHostname, err error) string {
	var unknown *net.DNSError
	if err != nil && (!errors.As(err, &unknown) || !unknown.IsNotFound) {
		return "The name server could not be asked. Try again in a moment."
	}
	return fmt.Sprintf("There is no TXT record at %s with the value %s. A new record may take a while to be seen.", challengeName(h.Hostname), h.Challenge)
}

func (a *API) v1ActivateHostname(ctx context.Context, c *call, _ *refPath) (V1CustomHostname, error) {
	active, err := a.store.ActivateCustomHostname(ctx, c.actor, c.project.Ref)
	if errors.Is(err, store.ErrNotFound) {
		return V1CustomHostname{}, problem.BadRequest("The project has no verified hostname: verify it first.")
	}
	return a.v1HostnameOf(c.project.Ref, active), err
}

func (a *API) v1DeleteHostname(ctx context.Context, c *call, _ *refPath) error {
	_, err := a.store.DeleteCustomHostname(ctx, c.actor, c.project.Ref)
	return problem.OrNotFound(err, noHostname)
}

func (a *API) v1VanitySubdomain(ctx context.Context, c *call, _ *refPath) (V1VanitySubdomain, error) {
	name, err := a.store.VanitySubdomain(ctx, c.project.ID)
	if errors.Is(err, store.ErrNotFound) {
		return V1VanitySubdomain{Status: "not-used"}, nil
	}
	return V1VanitySubdomain{Status: "active", CustomDomain: a.projectHost(name)}, err
}

var (
	subdomain = pattern(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// likeRef is what every ref looks like: a name like that could be a project's tomorrow.
	likeRef = pattern(`^[a-z]{20}$`)
	// reservedNames are those under which people expect the platform.
	reservedNames = []string{"admin", "api", "app", "auth", "dashboard", "mail", "platform", "studio", "supabase", "www"}
)

// checkSubdomain says why a name cannot be anybody's.
func checkSubdomain(name string) error {
	if !subdomain().MatchString(name) {
		return problem.BadRequest("A subdomain has lower case letters, digits and hyphens, and no hyphen at an end.")
	}
	if likeRef().MatchString(name) || slices.Contains(reservedNames, name) {
		return problem.BadRequest(fmt.Sprintf("The subdomain %q is reserved.", name))
	}
	return nil
}

func (a *API) v1CheckVanitySubdomain(ctx context.Context, _ *call, in *vanitySubdomainInput) (V1SubdomainAvailability, error) {
	if checkSubdomain(in.Body.VanitySubdomain) != nil {
		return V1SubdomainAvailability{false}, nil
	}
	taken, err := a.store.VanitySubdomainTaken(ctx, in.Body.VanitySubdomain)
	return V1SubdomainAvailability{!taken}, err
}

func (a *API) v1ActivateVanitySubdomain(ctx context.Context, c *call, in *vanitySubdomainInput) (V1ActivatedVanitySubdomain, error) {
	if err := checkSubdomain(in.Body.VanitySubdomain); err != nil {
		return V1ActivatedVanitySubdomain{}, err
	}
	err := a.store.SetVanitySubdomain(ctx, c.actor, c.project.Ref, in.Body.VanitySubdomain)
	return V1ActivatedVanitySubdomain{a.projectHost(in.Body.VanitySubdomain)}, err
}

func (a *API) v1DeleteVanitySubdomain(ctx context.Context, c *call, _ *refPath) error {
	return a.store.SetVanitySubdomain(ctx, c.actor, c.project.Ref, "")
}
