// Package schemadiff asks the program schema-diff how the schemas of two projects' databases differ.
package schemadiff

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/plurabase/plurabase/store/projectdb"
)

// Request is what the program reads. It holds passwords: it goes by a pipe, and is written nowhere.
type Request struct {
	From, To projectdb.Address
	Schemas  []string // by name; none: all but Supabase's own
}

// Unreachable is the program's exit code where a database does not answer.
const Unreachable = 3

// Program is the path of schema-diff, which lies beside the program that runs.
func Program() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find schema-diff: %w", err)
	}
	return filepath.Join(filepath.Dir(own), "schema-diff"), nil
}

// Run returns the SQL that gives one database the schema of the other; empty where nothing differs. projectdb.ErrUnreachable: one of
// them does not answer.
func Run(ctx context.Context, program string, asked Request) (string, error) {
	in, err := json.Marshal(asked)
	if err != nil {
		return "", fmt.Errorf("ask schema-diff: %w", err)
	}
	command := exec.CommandContext(ctx, program)
	command.Env = []string{}
	command.Stdin = bytes.NewReader(in)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	err = command.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("compare the schemas: %w", ctx.Err())
	case errors.As(err, &ended) && ended.ExitCode() == Unreachable:
		return "", projectdb.ErrUnreachable
	case errors.As(err, &ended):
		return "", fmt.Errorf("schema-diff: %s", bytes.TrimSpace(complaints.Bytes()))
	}
	return "", fmt.Errorf("run schema-diff: %w", err)
}
