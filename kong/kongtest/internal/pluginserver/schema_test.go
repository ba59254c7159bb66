package pluginserver

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// everyType is what go-pdk prints for a type with a field of each kind.
const everyType = `{"type":"record","fields":[
	{"text":{"type":"string"}},
	{"flag":{"type":"boolean"}},
	{"number":{"type":"number"}},
	{"integer":{"type":"integer"}},
	{"unsigned":{"type":"integer","between":[0,2147483648]}},
	{"list":{"type":"array","elements":{"type":"string"}}},
	{"map":{"type":"map","keys":{"type":"string"},"values":{"type":"integer"}}},
	{"record":{"type":"record","fields":[{"inner":{"type":"string"}},{"other":{"type":"string"}}]}}
]}`

func TestConfigIsCompletedAndChecked(t *testing.T) {
	t.Parallel()
	var schema Schema
	require.NoError(t, json.Unmarshal([]byte(everyType), &schema))
	nothing := map[string]any{
		"text": nil, "flag": nil, "number": nil, "integer": nil, "unsigned": nil, "list": nil, "map": nil, "record": nil,
	}

	tests := map[string]struct {
		config map[string]any
		want   map[string]any // Over nothing.
		err    string
	}{
		"nothing":           {config: map[string]any{}},
		"an empty text":     {config: map[string]any{"text": ""}},
		"a text":            {config: map[string]any{"text": "a"}, want: map[string]any{"text": "a"}},
		"no text":           {config: map[string]any{"text": 1}, err: "config.text: expected string"},
		"no flag":           {config: map[string]any{"flag": "true"}, err: "config.flag: expected boolean"},
		"a fraction":        {config: map[string]any{"number": 1.5}, want: map[string]any{"number": 1.5}},
		"no number":         {config: map[string]any{"number": "1"}, err: "config.number: expected number"},
		"no integer":        {config: map[string]any{"integer": 1.5}, err: "config.integer: expected integer"},
		"below zero":        {config: map[string]any{"unsigned": -1}, err: "config.unsigned: must be from 0 to 2147483648"},
		"a list":            {config: map[string]any{"list": []string{"a"}}, want: map[string]any{"list": []any{"a"}}},
		"no list":           {config: map[string]any{"list": "a"}, err: "config.list: expected array"},
		"an odd element":    {config: map[string]any{"list": []any{"a", 2}}, err: "config.list[1]: expected string"},
		"a map":             {config: map[string]any{"map": map[string]int{"a": 1}}, want: map[string]any{"map": map[string]any{"a": 1.0}}},
		"no map":            {config: map[string]any{"map": 1}, err: "config.map: expected map"},
		"an odd entry":      {config: map[string]any{"map": map[string]any{"a": "b"}}, err: "config.map.a: expected integer"},
		"a record":          {config: map[string]any{"record": map[string]any{"inner": "a"}}, want: map[string]any{"record": map[string]any{"inner": "a", "other": nil}}},
		"no record":         {config: map[string]any{"record": 1}, err: "config.record: expected record"},
		"an unknown field":  {config: map[string]any{"txt": 1}, err: "config.txt: unknown field"},
		"one deeper":        {config: map[string]any{"record": map[string]any{"x": 1}}, err: "config.record.x: unknown field"},
		"several at once":   {config: map[string]any{"text": 1, "x": 1}, err: "config.text: expected string\nconfig.x: unknown field"},
		"what is not JSON":  {config: map[string]any{"text": math.NaN()}, err: "config is not JSON"},
		"keys of all kinds": {config: map[string]any{"map": map[any]any{1: 1}}, err: "config is not JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := schema.Config(test.config)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			want := map[string]any{}
			for field := range nothing {
				want[field] = test.want[field]
			}
			require.Equal(t, want, got)
		})
	}
}
