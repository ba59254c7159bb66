package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// info is what Kong asks a plugin's executable for with -dump, before it runs it.
type info struct {
	Protocol   string
	SocketPath string
	Plugins    []pluginInfo
}

type pluginInfo struct {
	Name     string
	Phases   []string
	Version  string
	Priority int
	Schema   schema
}

// schema is a part of a Kong schema.
type schema map[string]any

// Dump returns, as JSON, what Kong has to know of the plugin that newConfig makes configurations of: its phases, and the schema of its
// configuration, whose fields are booleans or strings. socket is where it is going to listen.
func Dump(newConfig func() any, name, socket, version string, priority int) ([]byte, error) {
	config := newConfig()
	fields, err := schemaOf(reflect.TypeOf(config).Elem())
	if err != nil {
		return nil, err
	}
	return json.Marshal(info{
		Protocol: "ProtoBuf:1", SocketPath: socket,
		Plugins: []pluginInfo{{
			Name: name, Phases: slices.Sorted(maps.Keys(phasesOf(config))), Version: version, Priority: priority,
			Schema: schema{"name": name, "fields": []schema{{"config": schema{"type": "record", "fields": fields}}}},
		}},
	})
}

// kongTypes are what Kong calls the types that a configuration may have.
var kongTypes = map[reflect.Kind]string{reflect.Bool: "boolean", reflect.String: "string"}

func schemaOf(config reflect.Type) ([]schema, error) {
	fields := []schema{}
	for _, field := range reflect.VisibleFields(config) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		kind, known := kongTypes[field.Type.Kind()]
		if !known || name == "" {
			return nil, fmt.Errorf("the plugin's setting %s has no name or a type that Kong has no word for", field.Name)
		}
		fields = append(fields, schema{name: schema{"type": kind}})
	}
	return fields, nil
}
