// Command program stands in for every service of a project but its database, where their images cannot be had. It is no such
// service: under the names of the programs that the services' health checks run it asks itself, and under any other it
// answers on all of their ports with what it was sent. In storage's folder it keeps what it is given.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// questions are what the health checks ask whose arguments hold no URL.
var questions = map[string]string{
	"postgrest": "http://127.0.0.1:3001/ready",
	"imgproxy":  "http://127.0.0.1:5001/health",
	"bash":      "http://127.0.0.1:9000/_internal/health",
}

func main() {
	name := filepath.Base(os.Args[0])
	url := questions[name]
	if name == "wget" || name == "curl" {
		url = os.Args[len(os.Args)-1]
	}
	var err error
	if url != "" {
		err = ask(url)
	} else {
		err = serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url) //nolint:noctx,gosec // the process ends with it; the URL is a health check's own
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// serve answers on the ports of all services: whose place it takes, it does not know.
func serve() error {
	failed := make(chan error)
	for _, address := range []string{":3000", "127.0.0.1:3001", ":4000", ":5000", ":5001", ":6543", ":9000", ":9999"} {
		server := http.Server{Addr: address, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 10 * time.Second}
		go func() { failed <- server.ListenAndServe() }()
	}
	return <-failed
}

// echo is what was sent.
type echo struct {
	StandIn bool
	Method  string
	Path    string
	Host    string
	Header  http.Header
	Body    string
}

func answer(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/kept/"); ok {
		keep(w, r, filepath.Join(os.Getenv("FILE_STORAGE_BACKEND_PATH"), filepath.Base(name)))
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(echo{true, r.Method, r.URL.RequestURI(), r.Host, r.Header, string(body)})
}

// keep writes a file, or gives it back.
func keep(w http.ResponseWriter, r *http.Request, path string) {
	if r.Method != http.MethodPut {
		http.ServeFile(w, r, path) //nolint:gosec // a name without a folder, in a container for tests
		return
	}
	content, err := io.ReadAll(r.Body)
	if err == nil {
		err = os.WriteFile(path, content, 0o600) //nolint:gosec // likewise
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
