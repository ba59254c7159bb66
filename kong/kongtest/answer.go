package kongtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the stand-in, where Kong has its own.
const (
	serverName = "kongtest/3.9"
	viaName    = "1.1 " + serverName
)

// Kong's error bodies, by content type (ERROR_TEMPLATES in kong/tools/http.lua): a message, then the request's id.
var errorTemplates = map[string]string{
	"application/json": "{\n  \"message\":\"%s\",\n  \"request_id\":\"%s\"\n}",
	"text/plain":       "%s\nrequest_id: %s\n",
	"application/xml":  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>%s</message>\n  <requestid>%s</requestid>\n</error>\n",
	"text/html": "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  <body>\n" +
		"    <h1>Error</h1>\n    <p>%s.</p>\n    <p>request_id: %s</p>\n  </body>\n</html>\n",
}

// fail answers with one of Kong's own errors.
func (x *exchange) fail(status int, message string) {
	kind := errorType(x.r.Header.Get("Accept"))
	x.answer = &answer{
		status: status,
		header: http.Header{"Content-Type": {kind + "; charset=utf-8"}},
		body:   fmt.Appendf(nil, errorTemplates[kind], message, x.kongRequestID),
	}
}

// errorType chooses the type of an error's body by the Accept header; JSON when in doubt.
func errorType(accept string) string {
	chosen, best := "application/json", 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality, err := strconv.ParseFloat(parameters["q"], 64)
		if err != nil {
			quality = 1
		}
		if quality <= best {
			continue
		}
		best = quality
		if kind == "text/*" {
			kind = "text/plain"
		}
		if _, ok := errorTemplates[kind]; ok {
			chosen = kind
		} else {
			chosen = "application/json"
		}
	}
	return chosen
}

// failJSON answers {"message": …} as Kong's own plugins do.
func (x *exchange) failJSON(status int, message string) {
	// A map of texts can always be encoded.
	body, _ := json.Marshal(map[string]string{"message": message})
	x.answer = &answer{
		status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: body,
	}
}

// send sends the answer, and returns when the client's connection has taken all of it.
func (x *exchange) send() {
	for name, values := range x.answer.header {
		x.header[name] = values
	}
	x.filterHeaders()

	body := x.answer.body
	if length, err := strconv.Atoi(x.header.Get("Content-Length")); err == nil && length >= 0 && length < len(body) {
		// A plugin's own length that is too small cuts the body off, as in nginx.
		body = body[:length]
	} else if err != nil {
		x.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	header := x.w.Header()
	maps.Copy(header, x.header)
	if header.Get("Content-Type") == "" {
		// Go would guess a type; Kong sends none.
		header["Content-Type"] = nil
	}
	x.status = x.answer.status
	x.w.WriteHeader(x.status)
	if x.r.Method != http.MethodHead && mayHaveBody(x.status) {
		// An error means that the client has gone, which ends the request too.
		_, _ = x.w.Write(body)
	}
	_ = http.NewResponseController(x.w).Flush()
}

// mayHaveBody says whether HTTP lets an answer of this status have a body (RFC 9110, 6.4.1).
func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// filterHeaders runs the last phase before headers are sent, and adds Kong's own.
func (x *exchange) filterHeaders() {
	before := x.phase
	x.phase = headerFilter
	for _, plugin := range x.plugins {
		plugin.run(x, headerFilter)
	}
	x.phase = before

	milliseconds := strconv.FormatInt(time.Since(x.started).Milliseconds(), 10)
	if x.proxied {
		x.header.Set("X-Kong-Proxy-Latency", strconv.FormatInt(x.upstream.sent.Sub(x.started).Milliseconds(), 10))
		x.header.Set("X-Kong-Upstream-Latency", strconv.FormatInt(time.Since(x.upstream.sent).Milliseconds(), 10))
		x.header.Set("Via", joinVia(x.header.Get("Via")))
	} else {
		x.header.Set("X-Kong-Response-Latency", milliseconds)
	}
	if !x.proxied || x.header.Get("Server") == "" {
		x.header.Set("Server", serverName)
	}
	x.header.Set("X-Kong-Request-Id", x.kongRequestID)
	addCharset(x.header)
}

// joinVia adds the stand-in to the proxies that a message went through.
func joinVia(before string) string {
	if before == "" {
		return viaName
	}
	return before + ", " + viaName
}

// charsetTypes are the types that nginx gives a charset (its charset_types).
var charsetTypes = []string{
	"text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript", "application/rss+xml",
}

func addCharset(header http.Header) {
	if kind := header.Get("Content-Type"); slices.Contains(charsetTypes, strings.ToLower(kind)) {
		header.Set("Content-Type", kind+"; charset=UTF-8")
	}
}
