package stack

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

const (
	functionsPath = "/home/deno/functions"
	functionsPort = 9000
	// denoPath is where Deno keeps what functions import from elsewhere.
	denoPath = "/home/deno/cache"
	// secretPrefix is what the name of an owner's secret has before it in the container, so that none is taken for a setting of
	// the container's own.
	secretPrefix = "PLURABASE_SECRET_"
)

// mainService is what answers in a project's functions container, and starts the function that is asked for.
//
//go:embed functions.ts
var mainService string

// functions is upstream's edge runtime. The image has a shell and nothing to ask a URL with.
func (b builder) functions() (Service, error) {
	gateway := b.projectURL()
	if b.settings.GatewayURL != "" {
		gateway = b.settings.GatewayURL + "/p/" + b.ref()
	}
	env := Env{
		"DENO_DIR":                  denoPath,
		"PLURABASE_JWT_SECRET":      b.secret(store.SecretJWT),
		"SUPABASE_URL":              gateway,
		"SUPABASE_PUBLIC_URL":       b.projectURL(),
		"SUPABASE_ANON_KEY":         b.secret(store.SecretAnonKey),
		"SUPABASE_SERVICE_ROLE_KEY": b.secret(store.SecretServiceKey),
		"SUPABASE_DB_URL":           b.databaseURL("postgresql", "postgres", "postgres"),
		"PLURABASE_MAIN_SERVICE":    mainService,
	}
	if keys := b.secret(store.SecretJWKS); keys != "" {
		env["PLURABASE_JWKS"] = keys
	}
	for name, value := range b.section(store.ConfigFunctionSecrets) {
		env[secretPrefix+name] = plain(value)
	}
	start := `mkdir -p /home/deno/main && printf '%s' "$PLURABASE_MAIN_SERVICE" >/home/deno/main/index.ts && ` +
		`unset PLURABASE_MAIN_SERVICE && exec edge-runtime start --main-service /home/deno/main --port ` + strconv.Itoa(functionsPort)
	ask := `exec 3<>/dev/tcp/127.0.0.1/` + strconv.Itoa(functionsPort) + ` && ` +
		`printf 'GET /_internal/health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '`
	return Service{
		Entrypoint: []string{"sh", "-c", start},
		Env:        env,
		Mounts: []Mount{
			{Volume: Name(b.ref(), store.ServiceFunctions), Path: functionsPath},
			{Volume: Name(b.ref(), store.ServiceFunctions, "cache"), Path: denoPath},
		},
		Health: healthy("bash", "-c", ask),
	}, nil
}

// What follows is how functions lie in the volume of their service. Each version has a folder of its own, and what is in a folder
// never changes. A list says which of them run: it is written after the folders that it names, so that whoever reads it finds them.

// FunctionsPath is where the functions' folders are in their container, and FunctionListPath where the folder is that has nothing
// in it but their list, FunctionListFile.
const (
	FunctionsPath    = functionsPath
	FunctionListPath = functionsPath + "/" + FunctionListFolder
	// FunctionListFolder is no name of a version's folder.
	FunctionListFolder = "deployed"
	FunctionListFile   = "functions.json"
)

// FunctionList says which functions run, by slug.
type FunctionList map[string]ListedFunction

// ListedFunction is how a function is started.
type ListedFunction struct {
	Folder     string `json:"folder"`
	Entrypoint string `json:"entrypoint"` // within the folder
	ImportMap  string `json:"import_map,omitempty"`
	VerifyJWT  bool   `json:"verify_jwt"`
}

// ListFunctions makes the list of what runs.
func ListFunctions(functions []store.Function) FunctionList {
	list := FunctionList{}
	for _, one := range functions {
		listed := ListedFunction{Folder: FunctionFolder(one), Entrypoint: one.EntrypointPath, VerifyJWT: one.VerifyJWT}
		if one.ImportMapPath != nil {
			listed.ImportMap = *one.ImportMapPath
		}
		list[one.Slug] = listed
	}
	return list
}

// FunctionFolder is the name of a version's folder. A function that is deleted and made anew has another id: its first version is
// not taken for the old one.
func FunctionFolder(function store.Function) string {
	return fmt.Sprintf("%s-%d", function.ID, function.Version)
}

// Folders are the folders that the list names.
func (l FunctionList) Folders() map[string]bool {
	folders := map[string]bool{}
	for _, one := range l {
		folders[one.Folder] = true
	}
	return folders
}

// Encode writes the list as the main service reads it: the same list always alike.
func (l FunctionList) Encode() ([]byte, error) {
	encoded, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("write the list of functions: %w", err)
	}
	return encoded, nil
}
