package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/services"
	"github.com/plurabase/plurabase/store"
)

// StorageObject is an object or, without an id, a folder.
type StorageObject struct {
	Name           string         `json:"name"`
	ID             *string        `json:"id"`
	BucketID       string         `json:"bucket_id,omitempty"`
	Owner          string         `json:"owner,omitempty"`
	CreatedAt      *string        `json:"created_at"`
	UpdatedAt      *string        `json:"updated_at"`
	LastAccessedAt *string        `json:"last_accessed_at"`
	Metadata       map[string]any `json:"metadata" nullable:"true"`
}

// ListObjectsBody asks for one folder's objects.
type ListObjectsBody struct {
	Path    string             `json:"path"`
	Options ListObjectsOptions `json:"options,omitempty"`
}

// ListObjectsOptions narrow a list of objects.
type ListObjectsOptions struct {
	Limit  *int            `json:"limit,omitempty" minimum:"1" maximum:"10000"`
	Offset *int            `json:"offset,omitempty" minimum:"0"`
	Search string          `json:"search,omitempty"`
	SortBy *ObjectsSorting `json:"sortBy,omitempty"`
}

// ObjectsSorting is how a list of objects is sorted.
type ObjectsSorting struct {
	Column string `json:"column,omitempty" enum:"name,updated_at,created_at,last_accessed_at"`
	Order  string `json:"order,omitempty" enum:"asc,desc"`
}

type listObjectsInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body ListObjectsBody
}

// ListObjectsV2Body asks for one page of objects by a cursor.
type ListObjectsV2Body struct {
	Prefix        string          `json:"prefix,omitempty"`
	Cursor        string          `json:"cursor,omitempty"`
	Limit         int             `json:"limit,omitempty" minimum:"1" maximum:"1000"`
	WithDelimiter bool            `json:"with_delimiter,omitempty"`
	SortBy        *ObjectsSorting `json:"sortBy,omitempty"`
}

type listObjectsV2Input struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body ListObjectsV2Body
}

// ListObjectsV2Response is one page of objects and folders.
type ListObjectsV2Response struct {
	HasNext    bool                `json:"hasNext"`
	NextCursor string              `json:"nextCursor,omitempty"`
	Folders    []StorageFolderV2   `json:"folders"`
	Objects    []StorageObjectOfV2 `json:"objects"`
}

// StorageFolderV2 is a folder.
type StorageFolderV2 struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"`
}

// StorageObjectOfV2 is an object.
type StorageObjectOfV2 struct {
	Name           string         `json:"name"`
	Key            string         `json:"key,omitempty"`
	ID             string         `json:"id"`
	CreatedAt      string         `json:"created_at"`
	UpdatedAt      string         `json:"updated_at"`
	LastAccessedAt string         `json:"last_accessed_at"`
	Metadata       map[string]any `json:"metadata"`
}

// MoveObjectBody names an object and where it goes, both in the bucket.
type MoveObjectBody struct {
	From string `json:"from" minLength:"1" maxLength:"1024"`
	To   string `json:"to" minLength:"1" maxLength:"1024"`
}

type moveObjectInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body MoveObjectBody
}

// CopyObjectResponse is where the copy is.
type CopyObjectResponse struct {
	Path string `json:"path"`
}

// DeleteObjectsBody names objects.
type DeleteObjectsBody struct {
	Paths []string `json:"paths" minItems:"1" maxItems:"1000"`
}

type deleteObjectsInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body DeleteObjectsBody
}

// ObjectURLOptions say how an object is to be given out.
type ObjectURLOptions struct {
	Download     bool             `json:"download,omitempty"`
	DownloadName string           `json:"downloadName,omitempty" maxLength:"1024"`
	Transform    *ObjectTransform `json:"transform,omitempty"`
}

// ObjectTransform is what is done to an image on the way.
type ObjectTransform struct {
	Width   int    `json:"width,omitempty" minimum:"1" maximum:"2500"`
	Height  int    `json:"height,omitempty" minimum:"1" maximum:"2500"`
	Quality int    `json:"quality,omitempty" minimum:"20" maximum:"100"`
	Resize  string `json:"resize,omitempty" enum:"cover,contain,fill"`
	Format  string `json:"format,omitempty" enum:"origin"`
}

type publicURLInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body struct {
		Path    string           `json:"path" minLength:"1" maxLength:"1024"`
		Options ObjectURLOptions `json:"options,omitempty"`
	}
}

// PublicURLResponse is where everybody finds an object of a public bucket.
type PublicURLResponse struct {
	PublicURL string `json:"publicUrl"`
}

type signObjectInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body struct {
		Path      string           `json:"path" minLength:"1" maxLength:"1024"`
		ExpiresIn int64            `json:"expiresIn" minimum:"1" maximum:"315360000" doc:"Seconds."`
		Options   ObjectURLOptions `json:"options,omitempty"`
	}
}

// SignedURLResponse is where whoever has it finds an object for a while.
type SignedURLResponse struct {
	SignedURL string `json:"signedUrl"`
}

type signObjectsInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body struct {
		Path      []string         `json:"path" minItems:"1" maxItems:"1000"`
		ExpiresIn int64            `json:"expiresIn" minimum:"1" maximum:"315360000" doc:"Seconds."`
		Options   ObjectURLOptions `json:"options,omitempty"`
	}
}

// SignedObject is one of several signed objects.
type SignedObject struct {
	Path      *string `json:"path"`
	SignedURL string  `json:"signedUrl" doc:"Empty where there is an error."`
	Error     *string `json:"error"`
}

func (a *API) registerStorageObjects() {
	const objects = "/platform/storage/{ref}/buckets/{id}/objects"
	read, write := access.InProject(access.StorageRead, "*"), access.InProject(access.StorageWrite, "*")
	post := func(path string, permission access.Permission, summary string) route {
		return route{
			method: http.MethodPost, path: objects + "/" + path, permission: permission, status: http.StatusCreated, kind: Proxied, summary: summary,
		}
	}
	handle(a, post("list", read, "The objects in a folder"), a.listObjects)
	handle(a, post("list-v2", read, "One page of objects"), a.listObjectsV2)
	act(a, post("move", write, "Move or rename an object"), a.moveObject)
	handle(a, post("copy", write, "Copy an object"), a.copyObject)
	handle(a, post("sign", read, "An address of an object that is good for a while"), a.signObject)
	handle(a, post("sign-multi", read, "Addresses of objects that are good for a while"), a.signObjects)
	public := post("public-url", read, "The address of an object in a public bucket")
	public.kind = Real
	handle(a, public, a.getPublicURL)
	act(a, route{
		method: http.MethodDelete, path: objects, permission: write, kind: Proxied, summary: "Delete objects",
	}, a.deleteObjects)
}

func (a *API) listObjects(ctx context.Context, c *call, in *listObjectsInput) ([]StorageObject, error) {
	body := struct {
		Prefix string `json:"prefix"`
		ListObjectsOptions
	}{in.Body.Path, in.Body.Options}
	objects := []StorageObject{}
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"object", "list", in.ID}, Body: body}, &objects)
	return objects, err
}

func (a *API) listObjectsV2(ctx context.Context, c *call, in *listObjectsV2Input) (ListObjectsV2Response, error) {
	page := ListObjectsV2Response{Folders: []StorageFolderV2{}, Objects: []StorageObjectOfV2{}}
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"object", "list-v2", in.ID}, Body: in.Body}, &page)
	return page, err
}

// move is what Storage is told of a move or a copy.
func (in *moveObjectInput) move() map[string]string {
	return map[string]string{"bucketId": in.ID, "sourceKey": in.Body.From, "destinationKey": in.Body.To}
}

func (a *API) moveObject(ctx context.Context, c *call, in *moveObjectInput) error {
	_, err := a.ask(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"object", "move"}, Body: in.move()})
	return err
}

func (a *API) copyObject(ctx context.Context, c *call, in *moveObjectInput) (CopyObjectResponse, error) {
	_, err := a.ask(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"object", "copy"}, Body: in.move()})
	return CopyObjectResponse{in.Body.To}, err
}

func (a *API) deleteObjects(ctx context.Context, c *call, in *deleteObjectsInput) error {
	_, err := a.ask(ctx, c, storageService, services.Request{
		Method: http.MethodDelete, Path: []string{"object", in.ID}, Body: map[string]any{"prefixes": in.Body.Paths},
	})
	return err
}

// getPublicURL asks nobody: the address follows from the names.
func (a *API) getPublicURL(_ context.Context, c *call, in *publicURLInput) (PublicURLResponse, error) {
	path, query := "/object/public/", in.Body.Options.download()
	if transform := in.Body.Options.Transform; transform != nil {
		path = "/render/image/public/"
		transform.addTo(query)
	}
	return PublicURLResponse{withQuery(a.storageURL(c.project.Ref)+path+objectPath(in.ID, in.Body.Path), query)}, nil
}

func (a *API) signObject(ctx context.Context, c *call, in *signObjectInput) (SignedURLResponse, error) {
	body := map[string]any{"expiresIn": in.Body.ExpiresIn}
	if in.Body.Options.Transform != nil {
		body["transform"] = in.Body.Options.Transform
	}
	var signed struct{ SignedURL string }
	path := append([]string{"object", "sign", in.ID}, strings.Split(in.Body.Path, "/")...)
	if err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: path, Body: body}, &signed); err != nil {
		return SignedURLResponse{}, err
	}
	return SignedURLResponse{withQuery(a.storageURL(c.project.Ref)+signed.SignedURL, in.Body.Options.download())}, nil
}

func (a *API) signObjects(ctx context.Context, c *call, in *signObjectsInput) ([]SignedObject, error) {
	var signed []struct {
		Path      *string
		SignedURL *string
		Error     *string
	}
	err := a.askJSON(ctx, c, storageService, services.Request{
		Method: http.MethodPost, Path: []string{"object", "sign", in.ID},
		Body: map[string]any{"expiresIn": in.Body.ExpiresIn, "paths": in.Body.Path},
	}, &signed)
	list := make([]SignedObject, len(signed))
	for i, one := range signed {
		list[i] = SignedObject{Path: one.Path, Error: one.Error}
		if one.SignedURL != nil {
			list[i].SignedURL = withQuery(a.storageURL(c.project.Ref)+*one.SignedURL, in.Body.Options.download())
		}
	}
	return list, err
}

// storageURL is where browsers reach a project's Storage.
func (a *API) storageURL(ref store.Ref) string { return a.projectURL(ref) + "/storage/v1" }

func objectPath(bucket, path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return url.PathEscape(bucket) + "/" + strings.Join(parts, "/")
}

// download is the query by which Storage lets a browser save an object rather than show it.
func (o ObjectURLOptions) download() url.Values {
	query := url.Values{}
	if o.Download || o.DownloadName != "" {
		query.Set("download", o.DownloadName)
	}
	return query
}

func (t *ObjectTransform) addTo(query url.Values) {
	for name, value := range map[string]int{"width": t.Width, "height": t.Height, "quality": t.Quality} {
		if value != 0 {
			query.Set(name, strconv.Itoa(value))
		}
	}
	for name, value := range map[string]string{"resize": t.Resize, "format": t.Format} {
		if value != "" {
			query.Set(name, value)
		}
	}
}

func withQuery(address string, query url.Values) string {
	switch {
	case len(query) == 0:
		return address
	case strings.Contains(address, "?"):
		return address + "&" + query.Encode()
	default:
		return address + "?" + query.Encode()
	}
}
