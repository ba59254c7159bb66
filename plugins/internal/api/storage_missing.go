package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// AnalyticsBucketsResponse lists analytics buckets: none.
type AnalyticsBucketsResponse struct {
	Data []never `json:"data"`
}

// VectorBucketsResponse lists vector buckets: none.
type VectorBucketsResponse struct {
	VectorBuckets []never `json:"vectorBuckets"`
}

// StorageCredentialsResponse lists S3 access keys beside the project's own: none.
type StorageCredentialsResponse struct {
	Data []never `json:"data"`
}

const (
	analyticsBucketsMissing = "Analytics buckets need an Iceberg catalog, which this platform does not run."
	vectorBucketsMissing    = "Vector buckets need a vector store, which this platform does not run."
	credentialsMissing      = "A self-hosted Storage knows one pair of S3 keys, which is in its environment: it cannot be given others."
)

// registerStorageMissing registers what Storage offers upstream alone.
func (a *API) registerStorageMissing() {
	const storage = "/platform/storage/{ref}"
	read, write, admin := access.InProject(access.StorageRead, "*"), access.InProject(access.StorageWrite, "*"), access.InProject(access.StorageAdminWrite, "*")
	same(a, storage+"/analytics-buckets", read, "Analytics buckets: none", analyticsBucketsMissing, AnalyticsBucketsResponse{[]never{}})
	same(a, storage+"/vector-buckets", read, "Vector buckets: none", vectorBucketsMissing, VectorBucketsResponse{[]never{}})
	same(a, storage+"/credentials", access.InProject(access.StorageAdminRead, "*"), "S3 access keys: none", credentialsMissing, StorageCredentialsResponse{[]never{}})
	for _, missing := range []struct {
		method, path string
		permission   access.Permission
		why          string
	}{
		{http.MethodPost, "/analytics-buckets", write, analyticsBucketsMissing},
		{http.MethodDelete, "/analytics-buckets/{id}", write, analyticsBucketsMissing},
		{http.MethodGet, "/analytics-buckets/{id}/namespaces", read, analyticsBucketsMissing},
		{http.MethodPost, "/analytics-buckets/{id}/namespaces", write, analyticsBucketsMissing},
		{http.MethodDelete, "/analytics-buckets/{id}/namespaces/{namespace}", write, analyticsBucketsMissing},
		{http.MethodGet, "/analytics-buckets/{id}/namespaces/{namespace}/tables", read, analyticsBucketsMissing},
		{http.MethodPost, "/analytics-buckets/{id}/namespaces/{namespace}/tables", write, analyticsBucketsMissing},
		{http.MethodDelete, "/analytics-buckets/{id}/namespaces/{namespace}/tables/{table}", write, analyticsBucketsMissing},
		{http.MethodPost, "/vector-buckets", write, vectorBucketsMissing},
		{http.MethodGet, "/vector-buckets/{id}", read, vectorBucketsMissing},
		{http.MethodDelete, "/vector-buckets/{id}", write, vectorBucketsMissing},
		{http.MethodGet, "/vector-buckets/{id}/indexes", read, vectorBucketsMissing},
		{http.MethodPost, "/vector-buckets/{id}/indexes", write, vectorBucketsMissing},
		{http.MethodDelete, "/vector-buckets/{id}/indexes/{indexName}", write, vectorBucketsMissing},
		{http.MethodPost, "/credentials", admin, credentialsMissing},
		{http.MethodDelete, "/credentials/{id}", admin, credentialsMissing},
	} {
		refuse(a, route{
			method: missing.method, path: storage + missing.path, permission: missing.permission, summary: "Not here",
		}, missing.why)
	}
}
