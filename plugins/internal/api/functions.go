package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1Function is an edge function. Its paths are URLs of files below a folder whose name tells the deployment: from that,
// tools work out the paths that the files were uploaded with.
type V1Function struct {
	ID             string `json:"id" doc:"A UUID."`
	Slug           string `json:"slug" doc:"What its URL ends with."`
	Name           string `json:"name"`
	Status         string `json:"status" enum:"ACTIVE"`
	Version        int32  `json:"version"`
	CreatedAt      int64  `json:"created_at" doc:"Milliseconds since 1970."`
	UpdatedAt      int64  `json:"updated_at" doc:"Milliseconds since 1970."`
	VerifyJWT      bool   `json:"verify_jwt" doc:"Whether only requests with one of the project's own JWTs reach it."`
	ImportMap      bool   `json:"import_map"`
	EntrypointPath string `json:"entrypoint_path"`
	ImportMapPath  string `json:"import_map_path,omitempty"`
}

// V1CreateFunctionBody is a function of one file.
type V1CreateFunctionBody struct {
	Slug      string `json:"slug"`
	Name      string `json:"name" minLength:"1" maxLength:"256"`
	Body      string `json:"body" minLength:"1" doc:"Its source."`
	VerifyJWT *bool  `json:"verify_jwt,omitempty"`
}

// V1UpdateFunctionBody changes a function.
type V1UpdateFunctionBody struct {
	Name      *string `json:"name,omitempty" minLength:"1" maxLength:"256"`
	Body      *string `json:"body,omitempty" doc:"Its source: all of it, in place of its files."`
	VerifyJWT *bool   `json:"verify_jwt,omitempty"`
}

// V1BulkFunction names a version that was uploaded, to let it run.
type V1BulkFunction struct {
	ID        string  `json:"id,omitempty"`
	Slug      string  `json:"slug" minLength:"1"`
	Version   int32   `json:"version" minimum:"1"`
	Name      *string `json:"name,omitempty" minLength:"1" maxLength:"256"`
	VerifyJWT *bool   `json:"verify_jwt,omitempty"`
}

// V1BulkFunctions are the functions that now run.
type V1BulkFunctions struct {
	Functions []V1Function `json:"functions"`
}

type functionPath struct {
	Ref  string `path:"ref"`
	Slug string `path:"function_slug"`
}

type functionBodyInput struct {
	Ref    string `path:"ref"`
	Slug   string `path:"function_slug"`
	Accept string `header:"Accept"`
}

type deployFunctionInput struct {
	Ref         string `path:"ref"`
	Slug        string `query:"slug" doc:"What its URL ends with; the metadata's name where it is left out."`
	BundleOnly  bool   `query:"bundleOnly" doc:"Upload it, and leave running what does, until it is named in a bulk update."`
	ContentType string `header:"Content-Type"`
	RawBody     []byte `contentType:"multipart/form-data" doc:"metadata: JSON; file, any number of times: the files, named by their paths."`
}

type createFunctionInput struct {
	Ref  string `path:"ref"`
	Body V1CreateFunctionBody
}

type updateFunctionInput struct {
	Ref  string `path:"ref"`
	Slug string `path:"function_slug"`
	Body V1UpdateFunctionBody
}

type bulkFunctionsInput struct {
	Ref  string           `path:"ref"`
	Body []V1BulkFunction `minItems:"1" maxItems:"1000"`
}

// functionForm documents what deployFunctionInput holds as bytes.
var functionForm = &huma.Schema{
	Type: huma.TypeObject, Required: []string{"metadata"},
	Properties: map[string]*huma.Schema{
		"metadata": {
			Type: huma.TypeObject, Required: []string{"entrypoint_path"},
			Properties: map[string]*huma.Schema{
				"name":            {Type: huma.TypeString},
				"entrypoint_path": {Type: huma.TypeString, Description: "The path of one of the files."},
				"import_map_path": {Type: huma.TypeString, Description: "Likewise."},
				"verify_jwt":      {Type: huma.TypeBoolean, Description: "True where it is left out."},
			},
		},
		"file": {
			Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"},
			Description: "The files. The filename of each is its path, with its folders.",
		},
	},
}

// functionSlug is upstream's own form.
var functionSlug = pattern(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)

// maxFunction is how large a function can be with all its files, as upstream has it of one that is bundled.
const maxFunction = 20 << 20

const noFunction = "Function not found"

func (a *API) registerFunctions() {
	const path = "/v1/projects/{ref}/functions"
	read := access.InProject(access.FunctionsRead, "*")
	write := access.InProject(access.FunctionsWrite, "*")
	handle(a, route{
		method: http.MethodGet, path: path, permission: read, kind: Real, summary: "The edge functions that run",
	}, a.v1ListFunctions)
	handle(a, route{
		method: http.MethodPost, path: path, permission: write, kind: Real, status: http.StatusCreated, maxBody: maxFunction,
		summary: "Deploy an edge function of one file",
	}, a.v1CreateFunction)
	handle(a, route{
		method: http.MethodPut, path: path, permission: write, kind: Real, summary: "Let uploaded versions of edge functions run",
	}, a.v1BulkUpdateFunctions)
	handle(a, route{
		method: http.MethodPost, path: path + "/deploy", permission: write, kind: Real, status: http.StatusCreated, maxBody: maxFunction,
		summary: "Deploy an edge function", form: functionForm,
	}, a.v1DeployFunction)
	handle(a, route{
		method: http.MethodGet, path: path + "/{function_slug}", permission: read, kind: Real, summary: "One edge function",
	}, a.v1GetFunction)
	handle(a, route{
		method: http.MethodPatch, path: path + "/{function_slug}", permission: write, kind: Real, maxBody: maxFunction,
		summary: "Change an edge function",
	}, a.v1UpdateFunction)
	act(a, route{
		method: http.MethodDelete, path: path + "/{function_slug}", permission: write, kind: Real, summary: "Delete an edge function",
	}, a.v1DeleteFunction)
	register(a, route{
		method: http.MethodGet, path: path + "/{function_slug}/body", permission: read, kind: Real,
		summary: "The files of an edge function, as multipart/form-data",
	}, a.v1FunctionBody)
}

func (a *API) v1ListFunctions(ctx context.Context, c *call, _ *refPath) ([]V1Function, error) {
	functions, err := a.store.Functions(ctx, c.project.ID)
	return v1FunctionsOf(c.project.Ref, functions), err
}

func (a *API) v1GetFunction(ctx context.Context, c *call, in *functionPath) (V1Function, error) {
	function, _, err := a.store.FunctionBySlug(ctx, c.project.ID, in.Slug)
	return v1FunctionOf(c.project.Ref, function), problem.OrNotFound(err, noFunction)
}

func (a *API) v1DeployFunction(ctx context.Context, c *call, in *deployFunctionInput) (V1Function, error) {
	upload, err := readUpload(in.ContentType, in.RawBody)
	if err != nil {
		return V1Function{}, err
	}
	if in.Slug == "" {
		in.Slug = upload.metadata.Name
	}
	made, err := upload.version(in.Slug)
	if err != nil {
		return V1Function{}, err
	}
	deploy := a.store.DeployFunction
	if in.BundleOnly {
		deploy = a.store.UploadFunction
	}
	function, err := deploy(ctx, c.actor, c.project.Ref, made)
	return v1FunctionOf(c.project.Ref, function), err
}

func (a *API) v1CreateFunction(ctx context.Context, c *call, in *createFunctionInput) (V1Function, error) {
	body := in.Body
	if _, _, err := a.store.FunctionBySlug(ctx, c.project.ID, body.Slug); err == nil {
		return V1Function{}, problem.New(http.StatusConflict, "A function of this slug exists already.")
	}
	upload := functionUpload{
		metadata: functionMetadata{Name: body.Name, EntrypointPath: singleFile, VerifyJWT: body.VerifyJWT},
		files:    map[string][]byte{singleFile: []byte(body.Body)},
	}
	made, err := upload.version(body.Slug)
	if err != nil {
		return V1Function{}, err
	}
	function, err := a.store.DeployFunction(ctx, c.actor, c.project.Ref, made)
	return v1FunctionOf(c.project.Ref, function), err
}

// singleFile is the name of the file of a function that was sent without one.
const singleFile = "index.ts"

func (a *API) v1UpdateFunction(ctx context.Context, c *call, in *updateFunctionInput) (V1Function, error) {
	patch := store.FunctionPatch{Name: in.Body.Name, VerifyJWT: in.Body.VerifyJWT}
	if in.Body.Body != nil {
		entrypoint := singleFile
		patch.EntrypointPath, patch.WithoutImportMap = &entrypoint, true
		var err error
		if patch.Archive, err = store.PackFunction([]store.FunctionFile{{Path: singleFile, Content: []byte(*in.Body.Body)}}); err != nil {
			return V1Function{}, err
		}
	}
	function, err := a.store.UpdateFunction(ctx, c.actor, c.project.Ref, in.Slug, patch)
	return v1FunctionOf(c.project.Ref, function), problem.OrNotFound(err, noFunction)
}

func (a *API) v1BulkUpdateFunctions(ctx context.Context, c *call, in *bulkFunctionsInput) (V1BulkFunctions, error) {
	versions := make([]store.RunVersion, len(in.Body))
	for i, one := range in.Body {
		versions[i] = store.RunVersion{Slug: one.Slug, Version: one.Version, Name: one.Name, VerifyJWT: one.VerifyJWT}
	}
	functions, err := a.store.RunFunctions(ctx, c.actor, c.project.Ref, versions)
	if err != nil {
		return V1BulkFunctions{}, problem.OrNotFound(err, "One of these versions was never uploaded, or is not kept any more: deploy it with bundleOnly first.")
	}
	return V1BulkFunctions{v1FunctionsOf(c.project.Ref, functions)}, nil
}

func (a *API) v1DeleteFunction(ctx context.Context, c *call, in *functionPath) error {
	return problem.OrNotFound(a.store.DeleteFunction(ctx, c.actor, c.project.Ref, in.Slug), noFunction)
}

// functionFiles is an answer in the form of an upload.
type functionFiles struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *API) v1FunctionBody(ctx context.Context, c *call, in *functionBodyInput) (*functionFiles, error) {
	function, archive, err := a.store.FunctionBySlug(ctx, c.project.ID, in.Slug)
	if err != nil {
		return nil, problem.OrNotFound(err, noFunction)
	}
	if !strings.Contains(in.Accept, multipartForm) {
		return nil, problem.New(http.StatusNotAcceptable,
			"The function is kept as its source, not as a bundle: ask with `Accept: multipart/form-data` (supabase functions download --use-api).")
	}
	files, err := store.UnpackFunction(archive)
	if err != nil {
		return nil, err
	}
	return writeFiles(function.EntrypointPath, files)
}

// bundleType is the content type of what the CLI bundles by itself, with Docker.
const bundleType = "application/vnd.denoland.eszip"

const bundlesRefused = "Bundles are not taken, for they can neither be read nor edited: deploy the source (supabase functions deploy --use-api)."

func v1FunctionsOf(ref store.Ref, functions []store.Function) []V1Function {
	list := make([]V1Function, len(functions))
	for i, function := range functions {
		list[i] = v1FunctionOf(ref, function)
	}
	return list
}

func v1FunctionOf(ref store.Ref, f store.Function) V1Function {
	one := V1Function{
		ID: f.ID, Slug: f.Slug, Name: f.Name, Status: "ACTIVE", Version: f.Version,
		CreatedAt: f.CreatedAt.UnixMilli(), UpdatedAt: f.UpdatedAt.UnixMilli(), VerifyJWT: f.VerifyJWT,
		EntrypointPath: fileURL(ref, f, f.EntrypointPath),
	}
	if f.ImportMapPath != nil {
		one.ImportMap, one.ImportMapPath = true, fileURL(ref, f, *f.ImportMapPath)
	}
	return one
}

// fileURL names a function's file as upstream's bundler does. The MCP server takes the folder's name apart.
func fileURL(ref store.Ref, f store.Function, path string) string {
	file := url.URL{Scheme: "file", Path: fmt.Sprintf("/tmp/user_fn_%s_%s_%d%s%s", ref, f.ID, f.Version, sourceFolder, path)}
	return file.String()
}

// sourceFolder is where a function's files are in the folder of its deployment.
const sourceFolder = "/source/"
