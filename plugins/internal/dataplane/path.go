package dataplane

import (
	"strings"
	"unicode/utf8"

	"github.com/plurabase/plurabase/store"
)

// service is one of the services that a project is reached by, as an index.
type service uint8

const (
	auth service = iota
	rest
	realtime
	storage
	functions
	database // no path leads to it: Gateway.Database does
	serviceCount
)

// services are what the store calls them.
var services = [serviceCount]string{
	store.ServiceAuth, store.ServiceRest, store.ServiceRealtime, store.ServiceStorage, store.ServiceFunctions, store.ServiceDatabase,
}

// titles are what people know them by.
var titles = [serviceCount]string{"Auth", "the data API", "Realtime", "Storage", "Edge Functions", "the database"}

// admission says what a path asks of an API key.
type admission uint8

const (
	keyed   admission = iota // nothing goes through without a key
	checked                  // a key that is there has to be good; the service itself decides about the rest
	open                     // links in mails, callbacks of other sites, public keys: nobody asks for a key
)

// way is what a path leads to.
type way struct {
	service   service
	path      string // the service's own
	admission admission
	// profile is the schema that PostgREST is told to use.
	profile string
}

// split parts a request's target, and refuses what could be read in two ways: a path that is not one, dots that lead
// elsewhere, in whatever form, and bytes that a URL does not have.
func split(target string) (path, query string, ok bool) {
	path, query, _ = strings.Cut(target, "?")
	if path == "" || path[0] != '/' || !utf8.ValidString(path) {
		return "", "", false
	}
	decoded := path
	if strings.Contains(path, "%") {
		if decoded, ok = decode(path); !ok {
			return "", "", false
		}
	}
	for i := range len(decoded) {
		switch c := decoded[i]; {
		case c < ' ' || c == 0x7f || c == '\\':
			return "", "", false
		case c == '.' && decoded[i-1] == '/' && dots(decoded[i:]):
			return "", "", false
		}
	}
	return path, query, true
}

// dots tells whether a segment begins here that is `.` or `..`.
func dots(text string) bool {
	segment, _, _ := strings.Cut(text, "/")
	return segment == "." || segment == ".."
}

// decode decodes a path once. What an escape stands for may not be there to be seen by one and not by another.
func decode(path string) (string, bool) {
	var out strings.Builder
	out.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, low := digit(path[i+1]), digit(path[i+2])
		if high > 15 || low > 15 {
			return "", false
		}
		out.WriteByte(high<<4 | low)
		i += 2
	}
	return out.String(), true
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}

// cut takes a prefix of whole segments off a path. Slashes in a row count as one, as they do for Kong's router.
func cut(path, prefix string) (rest string, ok bool) {
	for prefix != "" {
		switch {
		case path == "" || path[0] != prefix[0]:
			return "", false
		case path[0] == '/':
			path, prefix = strings.TrimLeft(path, "/"), prefix[1:]
		default:
			path, prefix = path[1:], prefix[1:]
		}
	}
	return path, path == "" || path[0] == '/'
}

// single makes one slash of several in a row.
func single(path string) string {
	if path == "" {
		return "/"
	}
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// wayOf finds the service that a path within a project leads to, as upstream's gateway has it.
func wayOf(path string) (way, *Refusal) {
	if rest, ok := cut(path, "/storage/v1"); ok {
		if rest == "" {
			rest = "/"
		}
		// The key of an object may have slashes in a row, and S3 signs them.
		return way{service: storage, path: rest, admission: checked}, nil
	}
	path = single(path)
	if within, ok := cut(path, "/rest/v1"); ok {
		return way{service: rest, path: single(within)}, nil
	}
	if within, ok := cut(path, "/auth/v1"); ok {
		return wayOfAuth(single(within)), nil
	}
	if within, ok := cut(path, "/functions/v1"); ok {
		return way{service: functions, path: single(within), admission: checked}, nil
	}
	if within, ok := cut(path, "/realtime/v1"); ok {
		return wayOfRealtime(single(within))
	}
	if within, ok := cut(path, "/graphql/v1"); ok && (within == "" || within == "/") {
		return way{service: rest, path: "/rpc/graphql", profile: "graphql_public"}, nil
	}
	if openAtRoot(path) {
		return way{service: auth, path: path, admission: open}, nil
	}
	return way{}, noService
}

// openAtRoot tells what GoTrue is asked without a prefix, by others' rules: SAML's endpoints and the metadata of RFC 8414.
func openAtRoot(path string) bool {
	if path == "/sso/saml/acs" || path == "/sso/saml/metadata" {
		return true
	}
	_, ok := cut(path, "/.well-known/oauth-authorization-server")
	return ok
}

// openOfAuth are the endpoints of GoTrue that nobody has a key for who comes there.
var openOfAuth = []string{
	"/verify", "/callback", "/authorize", "/sso/saml/acs", "/sso/saml/metadata",
	"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
}

func wayOfAuth(path string) way {
	for _, one := range openOfAuth {
		if _, ok := cut(path, one); ok {
			return way{service: auth, path: path, admission: open}
		}
	}
	return way{service: auth, path: path}
}

// wayOfRealtime keeps what manages Realtime's tenants closed: that is the provisioner's.
func wayOfRealtime(path string) (way, *Refusal) {
	for _, closed := range []string{"/api/tenants", "/api/openapi"} {
		if _, ok := cut(path, closed); ok {
			return way{}, forbidden
		}
	}
	if _, ok := cut(path, "/api"); ok {
		return way{service: realtime, path: path}, nil
	}
	return way{service: realtime, path: "/socket" + path}, nil
}
