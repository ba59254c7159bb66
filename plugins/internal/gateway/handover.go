package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Kong/go-pdk"
	"go.opentelemetry.io/otel/trace"

	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/server"
)

// Config is what `config:` of a plugin in kong.platform.yml holds. All other settings come from the environment, so that no
// secret stands in Kong's configuration.
type Config struct {
	// Handover says that a post-function on the same route finishes what the plugin hands over (handoverKey). Kong then
	// keeps the plugin's connection, and the plugin does not wait until the client has read everything.
	Handover bool `json:"handover"`
}

// handoverKey is where the post-function of kong.platform.yml looks for what is handed over, in kong.ctx.shared. It holds
// one text: three digits, a line feed; a line `Name: value` for each header; an empty line; the rest. The digits are the
// status of an answer, and the rest is its body; or passDigits, and then the request goes on to the upstream, with
// the rest as its path, and these headers, without those whose value is empty. The header targetName, which nobody can send,
// says which upstream that is, where it is not the service's own.
const handoverKey = "plurabase"

const (
	passDigits = "000"
	targetName = "@target"
)

// Exchange is one request that Kong has given to a plugin. It ends with one answer, or with one Pass.
type Exchange struct {
	kong     *pdk.PDK
	handover bool
	log      *slog.Logger
	begun    time.Time
	route    string     // the pattern that it is counted under; empty: none has it
	span     trace.Span // nil where nothing is traced
}

// Begin returns the exchange that kong stands for.
func Begin(kong *pdk.PDK, config Config, log *slog.Logger) *Exchange {
	return &Exchange{kong: kong, handover: config.Handover, log: log, begun: time.Now()}
}

// Answer ends the request. Headers that Kong could not send are left out: one of them would make it drop all, without a
// word.
func (x *Exchange) Answer(status int, header http.Header, body []byte) {
	x.count(status)
	for name, values := range header {
		for _, value := range values {
			if !sendable(value) {
				delete(header, name)
				break
			}
		}
	}
	if x.handover && single(header) && x.hand(answerText(status, header, body)) {
		return
	}
	// Exit blocks until the client has read everything; by now the handler has given its connection back.
	x.kong.Response.Exit(status, body, header)
}

// Refuse ends the request with a problem.
func (x *Exchange) Refuse(p *problem.Problem) {
	x.Answer(p.Status, http.Header{"Content-Type": {"application/json"}}, p.JSON())
}

// Pass says how a request goes on to its upstream.
type Pass struct {
	// Target is where the request goes, `host:port`; empty: to the service's own url.
	Target string
	Path   string
	// Headers replace the request's own. One without a value is taken away. Names are in lower case.
	Headers map[string]string
}

// Pass lets Kong proxy the request.
func (x *Exchange) Pass(pass Pass) error {
	for name, value := range pass.Headers {
		if !sendable(value) {
			return fmt.Errorf("the header %s cannot be sent", name)
		}
	}
	x.count(passed)
	if x.handover && x.hand(passText(pass)) {
		return nil
	}
	if pass.Target != "" {
		// Before the headers: Kong makes the target's name the Host.
		if err := x.setTarget(pass.Target); err != nil {
			return fmt.Errorf("set the target: %w", err)
		}
	}
	if err := x.kong.ServiceRequest.SetPath(pass.Path); err != nil {
		return fmt.Errorf("set the path: %w", err)
	}
	for name, value := range pass.Headers {
		if err := x.setHeader(name, value); err != nil {
			return fmt.Errorf("set the header %s: %w", name, err)
		}
	}
	return nil
}

func (x *Exchange) setTarget(target string) error {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return err
	}
	return x.kong.Service.SetTarget(host, int(port))
}

func (x *Exchange) setHeader(name, value string) error {
	if value == "" {
		return x.kong.ServiceRequest.ClearHeader(name)
	}
	return x.kong.ServiceRequest.SetHeader(name, value)
}

// hand tells whether it could hand the text over. It cannot what is not UTF-8. Nothing is asked of Kong afterwards.
func (x *Exchange) hand(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	server.Last(x.kong)
	err := x.kong.Ctx.SetShared(handoverKey, text)
	if err != nil {
		x.log.Error("an answer could not be handed over", "error", err.Error())
	}
	return err == nil
}

func answerText(status int, header http.Header, body []byte) string {
	var text strings.Builder
	text.Grow(256 + len(body))
	text.WriteString(strconv.Itoa(status))
	text.WriteByte('\n')
	for name, values := range header {
		writeHeader(&text, name, values[0])
	}
	text.WriteByte('\n')
	text.Write(body)
	return text.String()
}

func passText(pass Pass) string {
	var text strings.Builder
	text.Grow(512)
	text.WriteString(passDigits + "\n")
	if pass.Target != "" {
		writeHeader(&text, targetName, pass.Target)
	}
	for name, value := range pass.Headers {
		writeHeader(&text, name, value)
	}
	text.WriteByte('\n')
	text.WriteString(pass.Path)
	return text.String()
}

func writeHeader(text *strings.Builder, name, value string) {
	text.WriteString(name)
	text.WriteString(": ")
	text.WriteString(value)
	text.WriteByte('\n')
}

// sendable tells whether a header may have this value.
func sendable(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsAny(value, "\r\n\x00")
}

// single tells whether every header has one value: the hand-over has no form for more.
func single(header http.Header) bool {
	for _, values := range header {
		if len(values) != 1 {
			return false
		}
	}
	return true
}
