package kongtest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// decodeConfig reads the configuration of a built-in plugin, and refuses what the plugin does not know.
func decodeConfig(config map[string]any, into any) error {
	data, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("config is not JSON: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	return nil
}
