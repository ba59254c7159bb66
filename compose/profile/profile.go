// Package profile writes the profile by which the supabase CLI talks to this platform and not to the hosted one.
package profile

import (
	"fmt"
	"os"
)

// Name is the profile's file name, beside the settings of the platform that it leads to.
const Name = "plurabase.yaml"

// Write writes the profile of the platform at a public URL. A project's host is its ref and projectHost.
func Write(path, publicURL, projectHost string) error {
	content := fmt.Sprintf("name: plurabase\napi_url: %s/api\ndashboard_url: %s\nproject_host: %s\n", publicURL, publicURL, projectHost)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write the CLI's profile: %w", err)
	}
	return nil
}
