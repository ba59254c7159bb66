package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// Load reads the file at path and puts lookup's variables into it. When lookup is nil, they are the process's own.
func Load(path string, lookup Lookup) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read Kong's configuration: %w", err)
	}
	return Parse(path, data, lookup)
}

// Parse is [Load] for a file that is in memory already; name is what errors call it.
func Parse(name string, data []byte, lookup Lookup) (*Config, error) {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	found := &problems{file: name}

	document := readDocument(data, found)
	if len(found.list) > 0 {
		return nil, found.err()
	}
	substitute(document, lookup, found)
	if len(found.list) > 0 {
		return nil, found.err()
	}
	config := decodeConfig(document.Content[0], found)
	if len(found.list) > 0 {
		return nil, found.err()
	}
	return config, nil
}

// readDocument parses the one document of a file.
func readDocument(data []byte, found *problems) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))

	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		found.add(0, "the file is empty")
		return nil
	} else if err != nil {
		found.addYAML(err)
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		found.add(0, "the file must hold one YAML document")
		return nil
	}

	// The library refuses, here and nowhere else, keys that stand twice, anchors that contain themselves, and aliases that
	// would unfold into far more than was written. What follows relies on it.
	var anything any
	if err := document.Decode(&anything); err != nil {
		found.addYAML(err)
	}
	return &document
}
