package main

import (
	"context"
	"fmt"
	"io"

	"github.com/plurabase/plurabase/store"
)

// rotateSettings are the environment of `setup rotate`: PLURABASE_MASTER_KEY is the new key, PLURABASE_MASTER_KEY_PREVIOUS the old one.
type rotateSettings struct{ store.Settings }

// rotate wraps every project's data key by the new master key. It can be broken off and run again.
func (s rotateSettings) rotate(ctx context.Context, out io.Writer) error {
	opened, err := store.Open(ctx, s.Settings)
	if err != nil {
		return err
	}
	defer opened.Close()
	rotated, err := opened.RotateMasterKey(ctx)
	_, _ = fmt.Fprintf(out, "%d projects are under the new master key now that were not before.\n", rotated)
	return err
}
