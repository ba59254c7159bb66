package images_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/store"
)

func TestEveryServiceHasAnImageThatCanBeOverridden(t *testing.T) {
	t.Parallel()
	for _, service := range store.AllServices {
		require.Contains(t, images.Default(service), ":", "%s has an image with a version", service)
		require.Equal(t, images.Default(service), images.Of(nil)[service])
		own := images.Of(map[string]string{images.Variable(service): "mirror.example/own:1"})
		require.Equal(t, "mirror.example/own:1", own[service])
	}
	require.Len(t, images.Of(nil), len(store.AllServices))
	require.Equal(t, "PLURABASE_POSTGRES_IMAGE", images.Variable(store.ServiceDatabase))
	require.Equal(t, "PLURABASE_AUTH_IMAGE", images.Variable(store.ServiceAuth))
}
