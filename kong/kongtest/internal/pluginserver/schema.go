package pluginserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Schema is the part of Kong's schema language that go-pdk makes from a Go type.
type Schema struct {
	Type     string              `json:"type"`
	Fields   []map[string]Schema `json:"fields"`   // Of a record.
	Elements *Schema             `json:"elements"` // Of an array.
	Keys     *Schema             `json:"keys"`     // Of a map.
	Values   *Schema             `json:"values"`
	Between  []float64           `json:"between"` // The lowest and the highest number, if there are any.
}

// Config checks a plugin's configuration, and gives it back as Kong would send it: every field of the schema is there,
// null where nothing was set. All that is wrong is in the error.
func (s Schema) Config(config map[string]any) (map[string]any, error) {
	// Kong reads YAML as JSON knows it; a round trip makes the numbers float64 and refuses what JSON can't say.
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("config is not JSON: %w", err)
	}
	plain := map[string]any{}
	if err := json.Unmarshal(data, &plain); err != nil {
		return nil, fmt.Errorf("config is not an object: %w", err)
	}
	full, problems := s.record("config", plain)
	return full, errors.Join(problems...)
}

func (s Schema) record(path string, values map[string]any) (map[string]any, []error) {
	full := map[string]any{}
	var problems []error
	for _, field := range s.Fields {
		for name, schema := range field {
			value := values[name]
			full[name] = nil
			// For Kong an empty string is a field that was not set.
			if value == nil || value == "" {
				continue
			}
			checked, wrong := schema.value(path+"."+name, value)
			full[name] = checked
			problems = append(problems, wrong...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, known := full[name]; !known {
			problems = append(problems, fmt.Errorf("%s.%s: unknown field", path, name))
		}
	}
	return full, problems
}

// value checks one value; it returns it with the missing fields of its records filled in.
func (s Schema) value(path string, value any) (any, []error) {
	wrong := []error{fmt.Errorf("%s: expected %s", path, s.Type)}
	switch s.Type {
	case "string":
		if _, ok := value.(string); !ok {
			return nil, wrong
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return nil, wrong
		}
	case "number", "integer":
		number, ok := value.(float64)
		if !ok || (s.Type == "integer" && number != float64(int64(number))) {
			return nil, wrong
		}
		if len(s.Between) == 2 && (number < s.Between[0] || number > s.Between[1]) {
			return nil, []error{fmt.Errorf("%s: must be from %.0f to %.0f", path, s.Between[0], s.Between[1])}
		}
	case "array":
		list, ok := value.([]any)
		if !ok {
			return nil, wrong
		}
		return s.array(path, list)
	case "map":
		entries, ok := value.(map[string]any)
		if !ok {
			return nil, wrong
		}
		return s.entries(path, entries)
	case "record":
		record, ok := value.(map[string]any)
		if !ok {
			return nil, wrong
		}
		return s.record(path, record)
	}
	return value, nil
}

func (s Schema) array(path string, list []any) (any, []error) {
	if s.Elements == nil {
		return list, nil
	}
	out := make([]any, len(list))
	var problems []error
	for i, element := range list {
		checked, wrong := s.Elements.value(fmt.Sprintf("%s[%d]", path, i), element)
		out[i] = checked
		problems = append(problems, wrong...)
	}
	return out, problems
}

func (s Schema) entries(path string, entries map[string]any) (any, []error) {
	if s.Values == nil {
		return entries, nil
	}
	out := map[string]any{}
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		checked, wrong := s.Values.value(path+"."+key, entries[key])
		out[key] = checked
		problems = append(problems, wrong...)
	}
	return out, problems
}
