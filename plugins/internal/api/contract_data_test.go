package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// contractDir holds upstream's contract as data, beside a checkout of the repository. The project runs without it.
const contractDir = "../../../../shared/contract"

// endpoint is a row of endpoints.tsv: a call that upstream's server answers.
type endpoint struct {
	studio bool // Studio makes it
	// schemas are where the schema of the answer's body stands in one of the documents, by the status of success; empty
	// where there is none.
	schemas map[int]string
}

// contract is upstream's contract, by `METHOD /path/{}`: names of parameters differ.
type contract map[string]endpoint

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func contractKey(method, path string) string {
	return method + " " + parameter.ReplaceAllString(path, "{}")
}

// readContract returns false where the data is not there.
func readContract(t *testing.T) (contract, *jsonschema.Compiler, bool) {
	t.Helper()
	table, err := os.ReadFile(filepath.Join(contractDir, "endpoints.tsv"))
	if err != nil {
		return nil, nil, false
	}
	all := contract{}
	for line := range strings.Lines(string(table)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		require.GreaterOrEqual(t, len(columns), 5, line)
		one := endpoint{studio: columns[0] == "studio", schemas: map[int]string{}}
		for text := range strings.SplitSeq(strings.Trim(columns[3], "?-"), ",") {
			if text == "" {
				continue // upstream has written down no more than that there is such a call
			}
			status, err := strconv.Atoi(text)
			require.NoError(t, err, line)
			one.schemas[status] = ""
		}
		all[contractKey(columns[1], columns[2])] = one
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020) // OpenAPI 3.1
	compiler.AssertFormat()
	for _, document := range []string{"platform.openapi.json", "v1.openapi.json"} {
		all.addSchemas(t, compiler, document)
	}
	return all, compiler, true
}

// addSchemas notes where the schema of each answer stands in one of the documents.
func (c contract) addSchemas(t *testing.T, compiler *jsonschema.Compiler, document string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(contractDir, document))
	require.NoError(t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, compiler.AddResource(document, parsed))
	var outline struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]json.RawMessage
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &outline))
	for path, methods := range outline.Paths {
		for method, operation := range methods {
			schemas := c[contractKey(strings.ToUpper(method), path)].schemas
			for status := range schemas {
				if _, ok := operation.Responses[strconv.Itoa(status)].Content["application/json"]; ok {
					pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
					schemas[status] = fmt.Sprintf("%s#/paths/%s/%s/responses/%d/content/application~1json/schema",
						document, escapeFragment(pointer), method, status)
				}
			}
		}
	}
}

// escapeFragment escapes what a path has and a URL's fragment may not.
func escapeFragment(text string) string {
	return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(text)
}

// check says what is wrong with the body of a successful answer; empty where nothing is.
func (e endpoint) check(t *testing.T, compiler *jsonschema.Compiler, status int, body []byte) string {
	t.Helper()
	location := e.schemas[status]
	if location == "" {
		return ""
	}
	schema, err := compiler.Compile(location)
	require.NoError(t, err, location)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return "not JSON: " + string(body)
	}
	if err := schema.Validate(value); err != nil {
		return err.Error()
	}
	return ""
}
