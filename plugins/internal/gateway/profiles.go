package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/server"
)

// profilesVariable names a folder in which each plugin makes a socket `<name>.pprof` for Go's profiles, open to the plugin's own
// user alone: `curl --unix-socket <folder>/platform-api.pprof http://plugin/debug/pprof/heap`. Unset: none.
const profilesVariable = "PLURABASE_PPROF_DIR"

func serveProfiles(ctx context.Context, name string) error {
	folder := os.Getenv(profilesVariable)
	if folder == "" {
		return nil
	}
	path := filepath.Join(folder, name+".pprof")
	listener, err := server.Listen(path)
	if err != nil {
		return fmt.Errorf("serve profiles: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { //nolint:gosec // the operator names the folder
		return errors.Join(fmt.Errorf("serve profiles: %w", err), listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	profiles := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = profiles.Close() })
	go func() { _ = profiles.Serve(listener) }() // ends with the plugin
	return nil
}
