package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/Kong/go-pdk"
)

// command does one thing and gives its result.
type command func(kong *pdk.PDK, config Config, argument string) (any, error)

// commands are what a request may ask for.
var commands = map[string]command{
	"label":  func(_ *pdk.PDK, c Config, _ string) (any, error) { return c.Label, nil },
	"config": func(_ *pdk.PDK, c Config, _ string) (any, error) { return c, nil },
	"pid":    func(*pdk.PDK, Config, string) (any, error) { return os.Getpid(), nil },
	"env":    func(*pdk.PDK, Config, string) (any, error) { return os.Environ(), nil },
	"print": func(_ *pdk.PDK, _ Config, text string) (any, error) {
		_, err := fmt.Fprintln(os.Stdout, text)
		return nil, err
	},
	"panic": func(_ *pdk.PDK, _ Config, text string) (any, error) { panic(text) },
	"hang":  hang,

	"method":           func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetMethod() },
	"path":             func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetPath() },
	"path_with_query":  func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetPathWithQuery() },
	"raw_query":        func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetRawQuery() },
	"query_arg":        func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Request.GetQueryArg(name) },
	"query":            func(k *pdk.PDK, _ Config, most string) (any, error) { return k.Request.GetQuery(number(most)) },
	"header":           func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Request.GetHeader(name) },
	"headers":          func(k *pdk.PDK, _ Config, most string) (any, error) { return k.Request.GetHeaders(number(most)) },
	"scheme":           func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetScheme() },
	"host":             func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetHost() },
	"port":             func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetPort() },
	"forwarded_scheme": func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetForwardedScheme() },
	"forwarded_host":   func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetForwardedHost() },
	"forwarded_port":   func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetForwardedPort() },
	"http_version":     func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Request.GetHttpVersion() },
	"body":             body,
	"body_size":        bodySize,
	"body_dir":         bodyDirectory,

	"ip":           func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Client.GetIp() },
	"forwarded_ip": func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Client.GetForwardedIp() },
	"client_port":  func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Client.GetPort() },
	"trusted":      func(k *pdk.PDK, _ Config, ip string) (any, error) { return k.IP.IsTrusted(ip) },
	"node":         func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Node.GetId() },
	"var":          func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Nginx.GetVar(name) },
	"subsystem":    func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Nginx.GetSubsystem() },
	"start_time":   func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Nginx.ReqStartTime() },
	"route":        func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Router.GetRoute() },
	"service":      func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Router.GetService() },

	"shared":     func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Ctx.GetSharedAny(name) },
	"share":      func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.Ctx.SetShared(split(kv)) },
	"share_flag": shareFlag,
	"ctx":        func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Nginx.GetCtxAny(name) },
	"set_ctx":    func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.Nginx.SetCtx(split(kv)) },
	"log":        func(k *pdk.PDK, _ Config, text string) (any, error) { return nil, k.Log.Notice(text, 7, true) },

	"answer_status":    func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Response.GetStatus() },
	"answer_header":    func(k *pdk.PDK, _ Config, name string) (any, error) { return k.Response.GetHeader(name) },
	"answer_headers":   func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Response.GetHeaders(-1) },
	"answer_source":    func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.Response.GetSource() },
	"set_status":       func(k *pdk.PDK, _ Config, s string) (any, error) { return nil, k.Response.SetStatus(number(s)) },
	"set_answer":       func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.Response.SetHeader(pair(kv)) },
	"add_answer":       func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.Response.AddHeader(pair(kv)) },
	"clear_answer":     func(k *pdk.PDK, _ Config, name string) (any, error) { return nil, k.Response.ClearHeader(name) },
	"set_answers":      setAnswers,
	"upstream_status":  func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.ServiceResponse.GetStatus() },
	"upstream_header":  func(k *pdk.PDK, _ Config, name string) (any, error) { return k.ServiceResponse.GetHeader(name) },
	"upstream_headers": func(k *pdk.PDK, _ Config, _ string) (any, error) { return k.ServiceResponse.GetHeaders(-1) },
	"upstream_body":    upstreamBody,

	"target":        target,
	"set_upstream":  func(k *pdk.PDK, _ Config, name string) (any, error) { return nil, k.Service.SetUpstream(name) },
	"set_scheme":    func(k *pdk.PDK, _ Config, s string) (any, error) { return nil, k.ServiceRequest.SetScheme(s) },
	"set_path":      func(k *pdk.PDK, _ Config, p string) (any, error) { return nil, k.ServiceRequest.SetPath(p) },
	"set_raw_query": func(k *pdk.PDK, _ Config, q string) (any, error) { return nil, k.ServiceRequest.SetRawQuery(q) },
	"set_query":     setQuery,
	"set_method":    func(k *pdk.PDK, _ Config, m string) (any, error) { return nil, k.ServiceRequest.SetMethod(m) },
	"set_header":    func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.ServiceRequest.SetHeader(pair(kv)) },
	"add_header":    func(k *pdk.PDK, _ Config, kv string) (any, error) { return nil, k.ServiceRequest.AddHeader(pair(kv)) },
	"clear_header":  func(k *pdk.PDK, _ Config, n string) (any, error) { return nil, k.ServiceRequest.ClearHeader(n) },
	"set_headers":   setHeaders,
	"set_body":      func(k *pdk.PDK, _ Config, b string) (any, error) { return nil, k.ServiceRequest.SetRawBody(b) },

	// A call that Kong does not have.
	"ask": func(k *pdk.PDK, _ Config, method string) (any, error) { return k.Request.AskString(method, nil) },
}

// hang waits for ever, the first time that it is given a file's name: it makes the file.
func hang(_ *pdk.PDK, _ Config, path string) (any, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "came back", nil
	}
	_ = file.Close()
	select {}
}

func body(kong *pdk.PDK, _ Config, _ string) (any, error) {
	data, err := kong.Request.GetRawBody()
	return string(data), err
}

func bodySize(kong *pdk.PDK, _ Config, _ string) (any, error) {
	data, err := kong.Request.GetRawBody()
	return len(data), err
}

// bodyDirectory lists the directory in which the host keeps large bodies.
func bodyDirectory(_ *pdk.PDK, _ Config, prefix string) (any, error) {
	return filepath.Glob(filepath.Join(prefix, "client_body_temp", "*"))
}

func upstreamBody(kong *pdk.PDK, _ Config, _ string) (any, error) {
	data, err := kong.ServiceResponse.GetRawBody()
	return string(data), err
}

func shareFlag(kong *pdk.PDK, _ Config, kv string) (any, error) {
	name, value := pair(kv)
	return nil, kong.Ctx.SetShared(name, value == "true")
}

func setAnswers(kong *pdk.PDK, _ Config, kv string) (any, error) {
	name, value := pair(kv)
	return nil, kong.Response.SetHeaders(map[string][]string{name: strings.Split(value, ",")})
}

func setHeaders(kong *pdk.PDK, _ Config, kv string) (any, error) {
	name, value := pair(kv)
	return nil, kong.ServiceRequest.SetHeaders(map[string][]string{name: strings.Split(value, ",")})
}

func setQuery(kong *pdk.PDK, _ Config, kv string) (any, error) {
	name, value := pair(kv)
	return nil, kong.ServiceRequest.SetQuery(map[string][]string{name: strings.Split(value, ",")})
}

func target(kong *pdk.PDK, _ Config, address string) (any, error) {
	host, port, _ := strings.Cut(address, ":")
	return nil, kong.Service.SetTarget(host, number(port))
}

// exit answers with a status, and with what stands behind it: "large", "latin1", "cookies", "short", "text", "transfer".
func exit(kong *pdk.PDK, argument string) {
	status, kind, _ := strings.Cut(argument, ",")
	body, headers := []byte("body"), map[string][]string{}
	switch kind {
	case "large":
		body = make([]byte, 20<<20)
	case "latin1":
		headers["X-Name"] = []string{"caf\xe9"}
		headers["X-Other"] = []string{"other"}
	case "cookies":
		headers["Set-Cookie"] = []string{"a=1", "b=2"}
	case "short":
		headers["Content-Length"] = []string{"2"}
	case "text":
		headers["Content-Type"] = []string{"text/plain"}
	case "transfer":
		headers["Transfer-Encoding"] = []string{"gzip"}
	}
	kong.Response.Exit(number(status), body, headers)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func pair(text string) (string, string) {
	name, value, _ := strings.Cut(text, "=")
	return name, value
}

func split(text string) (string, any) {
	name, value := pair(text)
	return name, value
}
