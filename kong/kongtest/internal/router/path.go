package router

import (
	"strconv"
	"strings"
)

// reserved are the characters that keep a meaning of their own in a path, so that "%2F" is not "/" (RFC 3986, 2.2).
const reserved = "!*'();:@&=+$,/?%#[]"

// safe are the characters, besides letters and digits, that may stand in a request line as they are.
const safe = "!#$&'()*+,/:;=?@[\\]-_.~%"

const upperHex = "0123456789ABCDEF"

// Normalize is what Kong matches routes with: escapes are decoded unless they stand for a reserved character, dot
// segments are resolved, and slashes in a row become one (kong/tools/uri.lua).
func Normalize(path string) string {
	path = decode(path)
	if !strings.Contains(path, ".") && !strings.Contains(path, "//") {
		return path
	}

	var out []string // Segments, each with the slash before it.
	for rest := path; rest != ""; {
		switch {
		case rest == "/." || rest == "/..":
			if rest == "/.." {
				out = dropLast(out)
			}
			rest = "/"
		case rest == "." || rest == "..":
			rest = ""
		case strings.HasPrefix(rest, "../"):
			rest = rest[3:]
		case strings.HasPrefix(rest, "./"):
			rest = rest[2:]
		case strings.HasPrefix(rest, "/./"):
			rest = rest[2:]
		case strings.HasPrefix(rest, "/../"):
			rest = rest[3:]
			out = dropLast(out)
		case strings.HasPrefix(rest, "//"):
			rest = rest[1:]
		default:
			end := strings.IndexByte(rest[1:], '/') + 1
			if end == 0 {
				end = len(rest)
			}
			out = append(out, rest[:end])
			rest = rest[end:]
		}
	}
	return strings.Join(out, "")
}

func dropLast(segments []string) []string {
	if len(segments) == 0 {
		return segments
	}
	return segments[:len(segments)-1]
}

// decode decodes the escapes of characters that are not reserved, and writes the others in upper case.
func decode(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		char, ok := unescape(path[i:])
		switch {
		case !ok:
			out.WriteByte(path[i])
			continue
		case strings.IndexByte(reserved, char) >= 0:
			out.WriteString(strings.ToUpper(path[i : i+3]))
		default:
			out.WriteByte(char)
		}
		i += 2
	}
	return out.String()
}

// unescape reads the escape at the start of text.
func unescape(text string) (char byte, ok bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	value, err := strconv.ParseUint(text[1:3], 16, 8)
	return byte(value), err == nil
}

// Escape makes a path fit to be sent: what may not stand in a request line is escaped, and "%" is left as it is.
func Escape(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		char := path[i]
		if isAlphanumeric(char) || strings.IndexByte(safe, char) >= 0 {
			out.WriteByte(char)
			continue
		}
		out.WriteByte('%')
		out.WriteByte(upperHex[char>>4])
		out.WriteByte(upperHex[char&15])
	}
	return out.String()
}

func isAlphanumeric(char byte) bool {
	return char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char >= '0' && char <= '9'
}

// UpstreamPath is the path that the upstream sees, before [Escape]: the normalised path of the request, without the part
// that the route matched if it strips it, behind the path of the service (get_upstream_uri_v0 in kong/router/utils.lua).
func UpstreamPath(servicePath, path, matched string, strip bool) string {
	base := servicePath
	if base == "" {
		base = "/"
	}
	postfix := path
	if strip {
		postfix = trimDots(strings.TrimPrefix(path, matched))
	}

	switch {
	case strip && postfix == "":
		return emptyPostfix(base, path)
	case strings.HasSuffix(base, "/"):
		return base + strings.TrimPrefix(postfix, "/")
	case strip && !strings.HasPrefix(postfix, "/"):
		return base + "/" + postfix
	case !strip && path == "/":
		return base
	default:
		return base + postfix
	}
}

// emptyPostfix is the upstream's path when the route stripped all of the request's.
func emptyPostfix(base, path string) string {
	slashed := strings.HasSuffix(path, "/")
	switch {
	case base == "/":
		return base
	case strings.HasSuffix(base, "/") && !slashed:
		return strings.TrimSuffix(base, "/")
	case !strings.HasSuffix(base, "/") && slashed && len(path) > 1:
		return base + "/"
	default:
		return base
	}
}

// trimDots takes away a dot segment that stripping brought to the front, as in "/prefix.." (sanitize_uri_postfix).
func trimDots(postfix string) string {
	switch {
	case postfix == "." || postfix == "..":
		return ""
	case strings.HasPrefix(postfix, "./"):
		return postfix[2:]
	case strings.HasPrefix(postfix, "../"):
		return postfix[3:]
	default:
		return postfix
	}
}
