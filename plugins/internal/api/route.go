package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// bearer is the name of the only security scheme.
const bearer = "bearer"

// route declares one endpoint.
type route struct {
	method     string
	path       string // as ServeMux has it, `/platform/projects/{ref}`
	permission access.Permission
	kind       Kind
	because    string // why there is nothing, for Empty and Unavailable: a sentence for the operator
	summary    string
	status     int   // of success; 200 where zero
	maxBody    int64 // in bytes; defaultMaxBody where zero
	// form documents a multipart/form-data that the handler reads by itself.
	form *huma.Schema
	// answer is the type of the answer's body; nil where the handler's output says it, or there is none.
	answer reflect.Type
}

// Kind says where a route's answer comes from.
type Kind string

// The kinds of routes.
const (
	Real        Kind = "real"        // from what the platform keeps or measures
	Proxied     Kind = "proxied"     // from one of the project's own services
	Empty       Kind = "empty"       // self-hosting has none of it: the contract's shape, with nothing in it
	Unavailable Kind = "unavailable" // self-hosting cannot do it: refused, in words that Studio shows
)

// call is a request that was let in: who makes it, and on what.
type call struct {
	identity.Caller
	actor store.Actor
	// membership is set on routes whose permission is of an organization.
	membership store.Membership
	// project is set on routes whose permission is of a project.
	project store.ProjectAccess
}

// none is the input of a route that takes nothing but its path.
type none struct{}

// namesOrganization is an input whose body, not its path, names the organization that the permission is looked up in.
type namesOrganization interface{ organizationSlug() store.Slug }

// output is of every route that answers with a body. What is in it is known to the route (answer) and not to the type, for huma's
// code is made anew for each type that it is told of, and was two fifths of the plugin's.
type output struct{ Body any }

// handle registers a route that answers with a body. Its permission is checked before the handler runs; a route without
// one, or one whose permission cannot be looked up, panics at start.
func handle[I, O any](a *API, r route, handler func(context.Context, *call, *I) (O, error)) {
	r.answer = reflect.TypeFor[O]()
	register(a, r, func(ctx context.Context, c *call, input *I) (*output, error) {
		body, err := handler(ctx, c, input)
		return &output{body}, err
	})
}

// act registers a route that answers with a status alone, as the contract has it for some commands.
func act[I any](a *API, r route, handler func(context.Context, *call, *I) error) {
	register(a, r, func(ctx context.Context, c *call, input *I) (*struct{}, error) {
		return nil, handler(ctx, c, input)
	})
}

// same registers a GET that answers everybody alike with nothing, for what self-hosting has none of.
func same[O any](a *API, path string, permission access.Permission, summary, because string, body O) {
	r := route{method: http.MethodGet, path: path, permission: permission, kind: Empty, because: because, summary: summary}
	handle(a, r, func(context.Context, *call, *none) (O, error) { return body, nil })
}

// drop registers a route that takes what it is sent, and keeps nothing of it.
func drop(a *API, r route, because string) {
	r.kind, r.because = Empty, because
	act(a, r, func(context.Context, *call, *none) error { return nil })
}

// missing registers a route for one of what self-hosting has none of. Whoever may ask is told why there is none.
func missing(a *API, r route, why string) {
	r.kind, r.because = Unavailable, why
	act(a, r, func(context.Context, *call, *none) error { return problem.NotFound(why) })
}

// refuse registers a route for what self-hosting cannot do. Whoever may ask is told why.
func refuse(a *API, r route, why string) {
	r.kind, r.because = Unavailable, why
	act(a, r, func(context.Context, *call, *none) error { return problem.BadRequest(why) })
}

func register[I, O any](a *API, r route, handler func(context.Context, *call, *I) (*O, error)) {
	checkRoute[I](r)
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.maxBody == 0 {
		r.maxBody = defaultMaxBody
	}
	declaration := func(to huma.API) { declare(a, to, r, handler) }
	a.routes, a.declarations = append(a.routes, r), append(a.declarations, declaration)
	a.mux.Handle(r.method+" "+r.path, &onDemand{declare: declaration})
}

// declare tells huma what the route takes and answers, and what it does.
func declare[I, O any](a *API, to huma.API, r route, handler func(context.Context, *call, *I) (*O, error)) {
	operation := huma.Operation{
		OperationID:   operationID(r),
		Method:        r.method,
		Path:          r.path,
		Summary:       r.summary,
		DefaultStatus: r.status,
		MaxBodyBytes:  r.maxBody,
		Middlewares:   huma.Middlewares{a.admit(r)},
		Extensions:    map[string]any{"x-permission": r.permission.String(), "x-kind": string(r.kind)},
	}
	if !r.permission.NeedsNothing() {
		operation.Security = []map[string][]string{{bearer: {}}}
	}
	if r.answer != nil {
		schema := to.OpenAPI().Components.Schemas.Schema(r.answer, true, operation.OperationID+"Response")
		operation.Responses = map[string]*huma.Response{strconv.Itoa(r.status): {
			Description: http.StatusText(r.status), Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
		}}
	}
	if r.form != nil { // huma would read what it knows the form of
		operation.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{}}
		defer func() { operation.RequestBody.Content[multipartForm] = &huma.MediaType{Schema: r.form} }()
	}
	huma.Register(to, operation, func(ctx context.Context, input *I) (*O, error) {
		c := ctx.Value(callKey{}).(*call)
		if named, ok := any(input).(namesOrganization); ok {
			if err := a.enterOrganization(ctx, c, r.permission, named.organizationSlug(), false); err != nil {
				return nil, a.problemOf(ctx, err)
			}
		}
		answer, err := handler(ctx, c, input)
		if err != nil {
			return nil, a.problemOf(ctx, err)
		}
		return answer, nil
	})
}

func checkRoute[I any](r route) {
	_, named := any(new(I)).(namesOrganization)
	inPath := strings.Contains(r.path, "{slug}")
	if field, ok := unreadable(reflect.TypeFor[I]()); ok {
		panic(fmt.Sprintf("route %s %s: huma reads nothing into %s, for what embeds it is not exported", r.method, r.path, field))
	}
	switch {
	case !r.permission.Declared():
		panic(fmt.Sprintf("route %s %s has no permission", r.method, r.path))
	case r.kind == "":
		panic(fmt.Sprintf("route %s %s does not say where its answer comes from", r.method, r.path))
	case (r.kind == Empty || r.kind == Unavailable) != (r.because != ""):
		panic(fmt.Sprintf("route %s %s: a reason goes with empty and unavailable, and with nothing else", r.method, r.path))
	case r.permission.OfOrganization() && inPath == named:
		panic(fmt.Sprintf("route %s %s: the organization has to be named by the path or by the body", r.method, r.path))
	case r.permission.Oneself() != "" && !strings.Contains(r.path, "{"+r.permission.Oneself()+"}"):
		panic(fmt.Sprintf("route %s %s: the path names no member", r.method, r.path))
	case r.permission.OfProject() && !strings.Contains(r.path, "{ref}") && !strings.Contains(r.path, "{branch_id_or_ref}"):
		panic(fmt.Sprintf("route %s %s: the path names no project", r.method, r.path))
	}
}

// unreadable finds a parameter that huma passes over without a word: one in an embedded struct that is not exported.
func unreadable(input reflect.Type) (string, bool) {
	for _, field := range reflect.VisibleFields(input) {
		parameter := field.Tag.Get("path") + field.Tag.Get("query") + field.Tag.Get("header")
		if parameter == "" || len(field.Index) == 1 {
			continue
		}
		if embedded := input.FieldByIndex(field.Index[:len(field.Index)-1]); !embedded.IsExported() {
			return field.Name, true
		}
	}
	return "", false
}

var operationIDs = strings.NewReplacer("/", "-", "{", "", "}", "", "_", "-")

// operationID makes `get-platform-projects-ref` of GET /platform/projects/{ref}.
func operationID(r route) string {
	return strings.ToLower(r.method) + operationIDs.Replace(r.path)
}

// schemaName names a schema by its Go type.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if name == "" {
		return name // a list among the parameters: it becomes no schema of its own
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

type callKey struct{}

// admit authenticates the caller and checks the route's permission, before anything of the request is validated: a
// stranger learns nothing, not even that the body is wrong.
func (a *API) admit(r route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		request, w := humago.Unwrap(hc)
		c := &call{}
		if err := a.enter(request, r, c); err != nil {
			a.problemOf(request.Context(), err).Write(w)
			return
		}
		next(huma.WithValue(hc, callKey{}, c))
	}
}

func (a *API) enter(request *http.Request, r route, c *call) error {
	if r.permission.NeedsNothing() {
		return nil
	}
	ctx := request.Context()
	var err error
	if c.Caller, err = a.authenticator.Authenticate(ctx, request.Header.Get("Authorization")); err != nil {
		return err
	}
	if !r.permission.InScope(c.Limits) {
		return problem.OutOfScope(r.permission)
	}
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		if c.actor, err = actorOf(request, c.Profile, r.maxBody); err != nil {
			return err
		}
	}
	switch {
	case r.permission.OfProject() && strings.Contains(r.path, "{branch_id_or_ref}"):
		return a.enterBranch(ctx, c, r.permission, request.PathValue("branch_id_or_ref"))
	case r.permission.OfProject():
		return a.enterProject(ctx, c, r.permission, request.PathValue("ref"))
	case r.permission.OfOrganization() && strings.Contains(r.path, "{slug}"):
		oneself := r.permission.Oneself() != "" && request.PathValue(r.permission.Oneself()) == c.Profile.GotrueID
		return a.enterOrganization(ctx, c, r.permission, store.Slug(request.PathValue("slug")), oneself)
	default:
		return nil
	}
}

// enterOrganization checks the caller's role: 404 for those who are not members, 403 for members without the right.
// oneself says that what is done is done to the caller, where the permission makes a difference of it.
func (a *API) enterOrganization(ctx context.Context, c *call, permission access.Permission, slug store.Slug, oneself bool) error {
	membership, err := a.store.MembershipBySlug(ctx, c.Profile.ID, slug)
	if err != nil {
		return problem.OrNotFound(err, "Organization not found")
	}
	if !c.Limits.ReachesOrganization(membership.ID) {
		return problem.NotFound("Organization not found")
	}
	if membership.MFARequired && !access.HasSecondFactor(c.Caller) {
		return problem.SecondFactorMissing()
	}
	if !oneself && !access.Allows(membership.Roles, permission.Action(), permission.Resource()) {
		return problem.Forbidden(permission)
	}
	c.membership = membership
	return nil
}

func (a *API) enterProject(ctx context.Context, c *call, permission access.Permission, text string) error {
	ref, ok := store.ParseRef(text)
	if !ok {
		return problem.NotFound("Project not found")
	}
	project, err := a.store.ProjectByRef(ctx, c.Profile.ID, ref)
	if err != nil {
		return problem.OrNotFound(err, "Project not found")
	}
	if !c.Limits.ReachesProject(project.Project) {
		return problem.NotFound("Project not found")
	}
	if project.MFARequired && !access.HasSecondFactor(c.Caller) {
		return problem.SecondFactorMissing()
	}
	if !access.AllowsInProject(project, permission.Action(), permission.Resource()) {
		return problem.Forbidden(permission)
	}
	c.project = project
	return nil
}

// defaultMaxBody is upstream's own limit for the platform API's bodies, 1 MB; SQL takes another way (pg-meta-crypto).
const defaultMaxBody = 1 << 20

// actorOf says who writes and by which request. It reads the body for its fingerprint and puts it back.
func actorOf(request *http.Request, profile store.Profile, maxBody int64) (store.Actor, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, maxBody))
	if err != nil {
		return store.Actor{}, problem.New(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d MB.", maxBody>>20))
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	fingerprint := sha256.New()
	_, _ = fmt.Fprintf(fingerprint, "%s %s\n", request.Method, request.URL.RequestURI()) // a hash never fails
	_, _ = fingerprint.Write(body)
	actor := store.Actor{ProfileID: profile.ID, RequestID: requestID(request.Context())}
	fingerprint.Sum(actor.Fingerprint[:0])
	if address, err := netip.ParseAddrPort(request.RemoteAddr); err == nil {
		actor.Address = address.Addr()
	}
	return actor, nil
}

// Routes lists every route, one a line: method, path, permission, kind, tab-separated.
func (a *API) Routes() []string {
	lines := make([]string, len(a.routes))
	for i, r := range a.routes {
		lines[i] = r.method + "\t" + r.path + "\t" + r.permission.String() + "\t" + string(r.kind)
	}
	return lines
}
