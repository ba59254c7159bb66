// Package postgres makes a small stand-in for the image supabase/postgres, out of Debian's packages: for machines that
// reach a Debian mirror and no image registry. It has upstream's roles, schemas and default privileges and three of its
// extensions; it has neither the others (pg_graphql, pg_net, pgsodium, vault …) nor the services' tables, which the
// services make themselves. It is for development and tests.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// repository is the image's name; the tag says which Postgres it is, and from where.
const repository = "plurabase/postgres"

// labelRecipe holds the hash of all that an image was made from.
const labelRecipe = "io.plurabase.recipe"

// EnsureImage returns the name of the image, and makes it first where Docker doesn't have it as this program would make
// it: our files, the recipe or Debian's package may have changed since. That takes less than a minute and needs a
// Debian machine, mmdebstrap and apt's package lists; Logger hears of its steps.
func EnsureImage(ctx context.Context, docker client.APIClient, logger *slog.Logger) (string, error) {
	recipe, err := newRecipe(ctx)
	if err != nil {
		return "", fmt.Errorf("prepare the Postgres image: %w", err)
	}
	name := repository + ":" + recipe.tag()
	existing, err := docker.ImageInspect(ctx, name)
	if err != nil && !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("look for image %s: %w", name, err)
	}
	if err == nil && existing.Config != nil && existing.Config.Labels[labelRecipe] == recipe.hash() {
		return name, nil
	}
	logger.InfoContext(ctx, "making the Postgres image", "image", name, "postgres", recipe.version)
	if err := makeImage(ctx, docker, recipe, logger); err != nil {
		return "", fmt.Errorf("make image %s: %w", name, err)
	}
	if existing.ID != "" {
		removeUnused(ctx, docker, existing.ID, logger)
	}
	return name, nil
}

func makeImage(ctx context.Context, docker client.APIClient, recipe *recipe, logger *slog.Logger) error {
	filesystem, err := recipe.build(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { _ = filesystem.Close() }()
	answer, err := docker.ImageImport(
		ctx,
		image.ImportSource{Source: filesystem, SourceName: "-"},
		repository,
		image.ImportOptions{Tag: recipe.tag(), Message: "made by plurabase from Debian's packages", Changes: recipe.changes()},
	)
	if err != nil {
		return err // where mmdebstrap failed, it is its error that the client met while reading
	}
	defer func() { _ = answer.Close() }()
	return importError(answer)
}

// importError reads what Docker says of an import: with the status 200 already sent, an error comes in the stream.
func importError(answer io.Reader) error {
	for decoder := json.NewDecoder(answer); ; {
		var message struct {
			Error string `json:"error"`
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read Docker's answer: %w", err)
		}
		if message.Error != "" {
			return errors.New(message.Error)
		}
	}
}

// removeUnused removes the image that has just lost its name. One that a container still uses has to stay.
func removeUnused(ctx context.Context, docker client.APIClient, id string, logger *slog.Logger) {
	if _, err := docker.ImageRemove(ctx, id, image.RemoveOptions{}); err != nil {
		logger.InfoContext(ctx, "the earlier Postgres image stays", "image", id, "cause", err)
	}
}
