package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/services"
)

// StorageBucket is a bucket as the project's Storage has it.
type StorageBucket struct {
	ID               string    `json:"id"`
	Name             string    `json:"name"`
	Owner            string    `json:"owner"`
	Public           bool      `json:"public"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	Type             string    `json:"type,omitempty"`
	FileSizeLimit    *int64    `json:"file_size_limit,omitempty"`
	AllowedMimeTypes []string  `json:"allowed_mime_types,omitempty"`
}

// V1StorageBucket is a bucket as the management API has it.
type V1StorageBucket struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Owner     string    `json:"owner"`
	Public    bool      `json:"public"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type bucketPage struct {
	Ref        string `path:"ref"`
	Limit      int    `query:"limit" minimum:"0" maximum:"10000" doc:"0: all."`
	Offset     int    `query:"offset" minimum:"0"`
	Search     string `query:"search" maxLength:"256"`
	SortColumn string `query:"sortColumn" enum:"id,name,created_at,updated_at"`
	SortOrder  string `query:"sortOrder" enum:"asc,desc"`
}

func (p bucketPage) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"search": p.Search, "sortColumn": p.SortColumn, "sortOrder": p.SortOrder} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, value := range map[string]int{"limit": p.Limit, "offset": p.Offset} {
		if value != 0 {
			query.Set(name, strconv.Itoa(value))
		}
	}
	return query
}

// BucketSettings are what a bucket allows.
type BucketSettings struct {
	Public           bool      `json:"public"`
	FileSizeLimit    *int64    `json:"file_size_limit,omitempty" minimum:"0"`
	AllowedMimeTypes *[]string `json:"allowed_mime_types,omitempty" maxItems:"1000"`
}

// CreateBucketBody is a new bucket.
type CreateBucketBody struct {
	ID string `json:"id" minLength:"1" maxLength:"100"`
	BucketSettings
	Type string `json:"type,omitempty" enum:"STANDARD"`
}

type createBucketInput struct {
	Ref  string `path:"ref"`
	Body CreateBucketBody
}

type bucketPath struct {
	Ref string `path:"ref"`
	ID  string `path:"id"`
}

// UpdateBucketBody changes what a bucket allows. What is null is limited no more.
type UpdateBucketBody struct {
	Public           bool      `json:"public"`
	FileSizeLimit    *int64    `json:"file_size_limit" required:"false" nullable:"true" minimum:"0"`
	AllowedMimeTypes *[]string `json:"allowed_mime_types" required:"false" nullable:"true"`
}

type updateBucketInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id"`
	Body UpdateBucketBody
}

const storageService = "storage"

func (a *API) registerStorage() {
	const buckets = "/platform/storage/{ref}/buckets"
	read, write := access.InProject(access.StorageRead, "*"), access.InProject(access.StorageWrite, "*")
	handle(a, route{
		method: http.MethodGet, path: buckets, permission: read, kind: Proxied, summary: "A project's buckets",
	}, a.listBuckets)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/storage/buckets", permission: read, kind: Proxied, summary: "A project's buckets",
	}, a.v1ListBuckets)
	handle(a, route{
		method: http.MethodPost, path: buckets, permission: write, status: http.StatusCreated, kind: Proxied, summary: "Make a bucket",
	}, a.createBucket)
	handle(a, route{
		method: http.MethodGet, path: buckets + "/{id}", permission: read, kind: Proxied, summary: "One bucket",
	}, a.getBucket)
	act(a, route{
		method: http.MethodPatch, path: buckets + "/{id}", permission: write, kind: Proxied, summary: "Change what a bucket allows",
	}, a.updateBucket)
	act(a, route{
		method: http.MethodDelete, path: buckets + "/{id}", permission: write, kind: Proxied, summary: "Delete an empty bucket",
	}, a.deleteBucket)
	act(a, route{
		method: http.MethodPost, path: buckets + "/{id}/empty", permission: write, status: http.StatusCreated,
		kind: Proxied, summary: "Delete all objects of a bucket",
	}, a.emptyBucket)
	a.registerStorageObjects()
	a.registerStorageArchive()
	a.registerStorageMissing()
}

func (a *API) listBuckets(ctx context.Context, c *call, in *bucketPage) ([]StorageBucket, error) {
	buckets := []StorageBucket{}
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodGet, Path: []string{"bucket"}, Query: in.query()}, &buckets)
	return buckets, err
}

func (a *API) v1ListBuckets(ctx context.Context, c *call, _ *refPath) ([]V1StorageBucket, error) {
	buckets := []V1StorageBucket{}
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodGet, Path: []string{"bucket"}}, &buckets)
	return buckets, err
}

// createBucket names the bucket by its id, as Studio does.
func (a *API) createBucket(ctx context.Context, c *call, in *createBucketInput) (map[string]any, error) {
	body := map[string]any{"id": in.Body.ID, "name": in.Body.ID, "public": in.Body.Public}
	if in.Body.FileSizeLimit != nil {
		body["file_size_limit"] = *in.Body.FileSizeLimit
	}
	if in.Body.AllowedMimeTypes != nil {
		body["allowed_mime_types"] = *in.Body.AllowedMimeTypes
	}
	answer := map[string]any{}
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"bucket"}, Body: body}, &answer)
	return answer, err
}

func (a *API) getBucket(ctx context.Context, c *call, in *bucketPath) (StorageBucket, error) {
	var bucket StorageBucket
	err := a.askJSON(ctx, c, storageService, services.Request{Method: http.MethodGet, Path: []string{"bucket", in.ID}}, &bucket)
	return bucket, err
}

func (a *API) updateBucket(ctx context.Context, c *call, in *updateBucketInput) error {
	_, err := a.ask(ctx, c, storageService, services.Request{Method: http.MethodPut, Path: []string{"bucket", in.ID}, Body: in.Body})
	return err
}

func (a *API) deleteBucket(ctx context.Context, c *call, in *bucketPath) error {
	_, err := a.ask(ctx, c, storageService, services.Request{Method: http.MethodDelete, Path: []string{"bucket", in.ID}})
	return err
}

func (a *API) emptyBucket(ctx context.Context, c *call, in *bucketPath) error {
	_, err := a.ask(ctx, c, storageService, services.Request{Method: http.MethodPost, Path: []string{"bucket", in.ID, "empty"}})
	return err
}
