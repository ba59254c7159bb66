// Command schema-diff says how the schemas of two projects' databases differ. platform-api runs it for the difference of a branch: what it
// is made of is as large as a plugin, and would otherwise lie in the memory of each.
//
// It reads one request from its standard input (package schemadiff) and prints SQL. By its exit code it says what went wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/store/projectdb"
)

func main() {
	text, err := answer(context.Background())
	switch {
	case errors.Is(err, projectdb.ErrUnreachable):
		os.Exit(schemadiff.Unreachable)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}

func answer(ctx context.Context) (string, error) {
	var asked schemadiff.Request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return "", errors.New("the request on the standard input cannot be read") // which may have been a password
	}
	return between(ctx, asked.From, asked.To, asked.Schemas)
}
