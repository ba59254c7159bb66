package stack

import (
	"strconv"

	"github.com/plurabase/plurabase/store"
)

const (
	imgproxyPort = 5001
	// filesPath is where the files lie, in storage and in imgproxy: one gives the other a path.
	filesPath = "/var/lib/storage"
	// filesTenant names the folder of the files within it. It is no project's ref: files can be restored into another project.
	filesTenant = "stub"
)

// storage is upstream's storage-api on a volume.
func (b builder) storage() (Service, error) {
	env := Env{
		"ANON_KEY":                          b.secret(store.SecretAnonKey),
		"SERVICE_KEY":                       b.secret(store.SecretServiceKey),
		"AUTH_JWT_SECRET":                   b.secret(store.SecretJWT),
		"DATABASE_URL":                      b.databaseURL("postgresql", "supabase_storage_admin", "postgres"),
		"STORAGE_PUBLIC_URL":                b.projectURL(),
		"REQUEST_ALLOW_X_FORWARDED_PATH":    "true",
		"FILE_SIZE_LIMIT":                   "52428800", // 50 MiB
		"UPLOAD_FILE_SIZE_LIMIT":            "52428800000",
		"UPLOAD_FILE_SIZE_LIMIT_STANDARD":   "5242880000",
		"SIGNED_UPLOAD_URL_EXPIRATION_TIME": "7200",
		"STORAGE_BACKEND":                   "file",
		"FILE_STORAGE_BACKEND_PATH":         filesPath,
		"TENANT_ID":                         filesTenant,
		"GLOBAL_S3_BUCKET":                  filesTenant,
		"STORAGE_S3_REGION":                 "local",
		"TUS_URL_PATH":                      "/storage/v1/upload/resumable",
		"S3_PROTOCOL_ENABLED":               "true",
		"S3_PROTOCOL_PREFIX":                "/storage/v1",
		"S3_PROTOCOL_ACCESS_KEY_ID":         b.derive("storage S3_PROTOCOL_ACCESS_KEY_ID", 24),
		"S3_PROTOCOL_ACCESS_KEY_SECRET":     b.derive("storage S3_PROTOCOL_ACCESS_KEY_SECRET", 48),
		"ENABLE_IMAGE_TRANSFORMATION":       strconv.FormatBool(b.has(store.ServiceImgproxy) && b.transformsImages()),
		"IMGPROXY_URL":                      "http://" + store.ServiceImgproxy + ":" + strconv.Itoa(imgproxyPort),
	}
	if keys := b.secret(store.SecretJWKS); keys != "" {
		env["JWT_JWKS"] = keys
	}
	apply(env, b.section(store.ConfigStorage), storageSettings)
	return Service{
		Env:    env,
		Mounts: []Mount{{Volume: Name(b.ref(), store.ServiceStorage), Path: filesPath}},
		Health: answersWget("http://127.0.0.1:5000/status"),
	}, nil
}

// transformsImages tells whether the owner has left the transformation of images on.
func (b builder) transformsImages() bool {
	on, set := lookUp(b.section(store.ConfigStorage), "features.imageTransformation.enabled")
	return !set || on == true
}

// imgproxy makes smaller images of those in storage, whose files it reads.
func (b builder) imgproxy() (Service, error) {
	return Service{
		Env: Env{
			"IMGPROXY_BIND":                  ":" + strconv.Itoa(imgproxyPort),
			"IMGPROXY_LOCAL_FILESYSTEM_ROOT": "/",
			"IMGPROXY_USE_ETAG":              "true",
			"IMGPROXY_MAX_SRC_RESOLUTION":    "50",
			"IMGPROXY_MAX_SRC_FILE_SIZE":     "25000000",
			"IMGPROXY_MAX_ANIMATION_FRAMES":  "60",
			"IMGPROXY_ENABLE_WEBP_DETECTION": "true",
			"IMGPROXY_PRESETS":               "default=width:3000/height:8192",
			"IMGPROXY_FORMAT_QUALITY":        "jpeg=80,avif=62,webp=80",
		},
		Mounts: []Mount{{Volume: Name(b.ref(), store.ServiceStorage), Path: filesPath}},
		Health: healthy("imgproxy", "health"),
	}, nil
}
