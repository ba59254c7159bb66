// Command testplugin is a Kong plugin that does what a request tells it, so that the stand-in's tests can try each PDK
// call. The header Do holds commands, "name" or "name:argument", with "; " between them; their results are the answer.
//
// What its executable is called decides the phases it has: "rewriter", "responder" and "logger" have the phase of their
// name, any other has access.
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/Kong/go-pdk"
	"github.com/Kong/go-pdk/server"
)

// Config is the plugin's configuration.
type Config struct {
	Label   string   `json:"label"`    // Given back by the command "label".
	LogFile string   `json:"log_file"` // Where the log phase adds a line.
	Number  int      `json:"number"`
	List    []string `json:"list"`
}

// Accesser has the phase access.
type Accesser Config

// Logger has the phase log.
type Logger Config

// Rewriter has the phase rewrite.
type Rewriter Config

// Responder has the phase response.
type Responder Config

// priorities order the plugins that tests put on one route.
var priorities = map[string]int{"first": 1500, "rewriter": 1400, "responder": 900}

func main() {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	name := filepath.Base(executable)
	constructor := func() any { return &Accesser{} }
	switch name {
	case "rewriter":
		constructor = func() any { return &Rewriter{} }
	case "responder":
		constructor = func() any { return &Responder{} }
	case "logger":
		constructor = func() any { return &Logger{} }
	}
	priority, ok := priorities[name]
	if !ok {
		priority = 1000
	}
	if err := server.StartServer(constructor, "1.0", priority); err != nil {
		panic(err)
	}
}

// Access does what the request says.
func (c *Accesser) Access(kong *pdk.PDK) { run(kong, Config(*c), "Do") }

// Rewrite does what the header Do-Rewrite says.
func (c *Rewriter) Rewrite(kong *pdk.PDK) { run(kong, Config(*c), "Do-Rewrite") }

// Response does what the header Do-Response says.
func (c *Responder) Response(kong *pdk.PDK) { run(kong, Config(*c), "Do-Response") }

// Log adds what the log phase can see of the request to the configured file.
func (c *Logger) Log(kong *pdk.PDK) {
	status, err := kong.Response.GetStatus()
	if err != nil {
		return
	}
	header, _ := kong.Request.GetHeader("Do")
	shared, _ := kong.Ctx.GetSharedString("note")
	line, _ := json.Marshal(map[string]any{"status": status, "do": header, "note": shared})
	file, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = file.Write(append(line, '\n'))
	_ = file.Close()
}

// result is what one command gave.
type result struct {
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

// run runs the commands of a header. Unless one of them ended the matter, the results are the answer; after "proxy" they
// are a header of it.
func run(kong *pdk.PDK, config Config, header string) {
	script, err := kong.Request.GetHeader(header)
	if err != nil || script == "" {
		return
	}
	results := map[string]result{}
	proxy := false
	for command := range strings.SplitSeq(script, "; ") {
		name, argument, _ := strings.Cut(command, ":")
		switch name {
		case "proxy":
			proxy = true
		case "exit":
			exit(kong, argument)
			return
		default:
			value, err := commands[name](kong, config, argument)
			results[command] = toResult(value, err)
		}
	}
	data, err := json.Marshal(results)
	if err != nil {
		panic(err)
	}
	if proxy {
		_ = kong.Response.SetHeader("X-Results", string(data))
		return
	}
	kong.Response.Exit(200, data, map[string][]string{"Content-Type": {"application/json"}})
}

func toResult(value any, err error) result {
	if err != nil {
		return result{Error: err.Error()}
	}
	return result{Value: value}
}
