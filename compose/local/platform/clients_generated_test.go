//go:build unix

package platform_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
)

// callGenerated is a program that checks a document against OpenAPI's own schema, makes a client from it, and calls methods of that.
const callGenerated = `
const [modules, file, token, url, encoded] = process.argv.slice(1)
const { readFileSync } = require('fs')
const { pathToFileURL } = require('url')
const OpenAPIClient = require(modules + '/openapi-client-axios').default
;(async () => {
  const definition = JSON.parse(readFileSync(file))
  const { Validator } = await import(pathToFileURL(modules + '/@seriousme/openapi-schema-validator/index.js'))
  const { valid, errors } = await new Validator().validate(structuredClone(definition))
  const made = new OpenAPIClient({
    definition, withServer: { url }, axiosConfigDefaults: { headers: { authorization: 'Bearer ' + token } },
  })
  const client = await made.init()
  const answers = []
  for (const { method, input } of JSON.parse(encoded)) {
    try {
      const [parameters, body] = input
      answers.push({ worked: true, said: JSON.stringify((await client[method](parameters, body)).data) ?? '' })
    } catch (error) {
      answers.push({ worked: false, said: String(error.message) + ' ' + JSON.stringify(error.response?.data ?? '') })
    }
  }
  console.log(JSON.stringify({ valid, errors: JSON.stringify(errors ?? ''), methods: made.getOperations().map((one) => one.operationId), answers }))
})()
`

// generatedCases are asked of the project, of whatever a generator makes of each: parameters by name, and a body.
var generatedCases = []clientCase{
	{name: "get-v1-organizations", input: []any{nil}, prints: `"name":"Tools"`},
	{name: "get-v1-projects", input: []any{nil}, prints: "{ref}"},
	{name: "get-v1-projects-ref", input: []any{body{"ref": "{ref}"}}, prints: "ACTIVE_HEALTHY"},
	{name: "post-v1-projects-ref-database-query", input: []any{body{"ref": "{ref}"}, body{"query": "select 41 + 1 as answer"}}, prints: "42"},
	{name: "get-v1-projects-ref-api-keys", input: []any{body{"ref": "{ref}", "reveal": true}}, prints: "sb_secret_"},
	{name: "post-v1-projects-ref-secrets", input: []any{body{"ref": "{ref}"}, []any{body{"name": "FROM_DOCUMENT", "value": "1"}}}, prints: ""},
	{name: "get-v1-projects-ref-secrets", input: []any{body{"ref": "{ref}"}}, prints: "FROM_DOCUMENT"},
	{name: "get-v2-projects-ref-config", input: []any{body{"ref": "{ref}"}}, prints: `"project_config"`},
	{name: "get-platform-profile", input: []any{nil}, prints: "admin@localhost"},
}

// runGenerated makes a client from the platform's own OpenAPI document, and asks it.
func (c *clients) runGenerated() []result {
	c.t.Helper()
	type call struct {
		Method string `json:"method"`
		Input  any    `json:"input"`
	}
	calls := make([]call, len(generatedCases))
	for i, one := range generatedCases {
		calls[i] = call{one.name, one.input}
	}
	fill := strings.NewReplacer("{ref}", c.ref)
	encoded, err := json.Marshal(calls)
	require.NoError(c.t, err)
	document, err := exec.CommandContext(c.t.Context(), c.plugin, "-openapi").Output()
	require.NoError(c.t, err)
	file := filepath.Join(c.t.TempDir(), "openapi.json")
	require.NoError(c.t, os.WriteFile(file, document, 0o600))
	output, err := exec.CommandContext(c.t.Context(), "node", "-e", callGenerated, c.modules, file, c.platform.AccessToken(),
		c.platform.URL()+"/api", fill.Replace(string(encoded))).CombinedOutput()
	require.NoError(c.t, err, string(output))
	var gave struct {
		Valid   bool
		Errors  string
		Methods []string
		Answers []struct {
			Worked bool
			Said   string
		}
	}
	require.NoError(c.t, json.Unmarshal(output, &gave), string(output))
	require.True(c.t, gave.Valid, "the document is none of OpenAPI's: %.2000s", gave.Errors)
	seen := map[string]bool{}
	for _, method := range gave.Methods {
		require.False(c.t, seen[method], "%s is there twice", method)
		seen[method] = true
	}
	require.Len(c.t, gave.Answers, len(generatedCases))
	var results []result
	for i, one := range generatedCases {
		one.prints = fill.Replace(one.prints)
		results = append(results, one.check("management", one.name, gave.Answers[i].Worked, gave.Answers[i].Said))
	}
	return results
}
