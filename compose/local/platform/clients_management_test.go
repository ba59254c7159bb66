//go:build unix

package platform_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// callManagement is a program that calls methods of the management client, and prints what each gave, with the names of all methods.
// It keeps a value that an answer has, for the calls after it.
const callManagement = `
const { SupabaseManagementAPI } = require(process.argv[1] + '/supabase-management-js')
const api = new SupabaseManagementAPI({ accessToken: process.argv[2], baseUrl: process.argv[3] })
const calls = JSON.parse(process.argv[4])
;(async () => {
  const answers = []
  const kept = {}
  const call = async ({ method, input, keep }) => {
    try {
      const filled = JSON.parse(JSON.stringify(input).replace(/\{(\w+)\}/g, (_, name) => kept[name] ?? name))
      const answer = await api[method](...filled)
      if (keep) kept[keep] = answer.data?.id ?? answer.data?.[0]?.id
      return { worked: true, said: JSON.stringify(answer.data) ?? '' }
    } catch (error) {
      const body = await error.response?.text?.().catch(() => '')
      return { worked: false, said: String(error.message) + ' ' + (body || JSON.stringify(error.error ?? error.data ?? '')) }
    }
  }
  for (const one of calls) {
    let answer = await call(one)
    for (let tries = 0; one.patient && tries < 180 && new RegExp(process.argv[5]).test(answer.said); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      answer = await call(one)
    }
    answers.push(answer)
  }
  const methods = Object.getOwnPropertyNames(SupabaseManagementAPI.prototype).filter((name) => !['constructor', 'authHeader'].includes(name))
  console.log(JSON.stringify({ answers, methods }))
})()
`

// inRef is the arguments of a method that begins with the project.
func inRef(more ...any) []any { return append([]any{"{ref}"}, more...) }

type body = map[string]any

func (c *clients) runManagement() []result {
	// The provisioner measures a project some seconds after it runs.
	c.eventually(func() bool {
		return c.send(http.MethodGet, "/api/v1/projects/"+c.ref+"/config/disk/util", nil, "").status == http.StatusOK
	})
	results, methods := c.callMethods(c.platform.AccessToken(), managementCases)
	for _, method := range methods {
		if !slices.ContainsFunc(managementCases, func(one clientCase) bool { return methodOf(one) == method }) {
			results = append(results, result{"management", method, "the client has it, and no case asks for it"})
		}
	}
	return results
}

func (c *clients) askManagement(token string, cases []clientCase) []result {
	results, _ := c.callMethods(token, cases)
	return results
}

// callMethods asks what the cases say, and returns the names of all methods that the client has.
func (c *clients) callMethods(token string, cases []clientCase) (results []result, methods []string) {
	type call struct {
		Method  string `json:"method"`
		Input   any    `json:"input"`
		Keep    string `json:"keep"`
		Patient bool   `json:"patient"`
	}
	calls := make([]call, len(cases))
	for i, one := range cases {
		calls[i] = call{methodOf(one), one.input, one.keep, one.patient}
	}
	fill := strings.NewReplacer("{ref}", c.ref, "{org}", c.org)
	encoded, err := json.Marshal(calls)
	require.NoError(c.t, err)
	output, err := exec.CommandContext(c.t.Context(), "node", "-e", callManagement, c.modules, token,
		c.platform.URL()+"/api", fill.Replace(string(encoded)), notYet.String()).CombinedOutput()
	require.NoError(c.t, err, string(output))
	var gave struct {
		Answers []struct {
			Worked bool
			Said   string
		}
		Methods []string
	}
	require.NoError(c.t, json.Unmarshal(output, &gave), string(output))
	require.Len(c.t, gave.Answers, len(cases))
	for i, one := range cases {
		one.prints = fill.Replace(one.prints)
		results = append(results, one.check("management", one.name, gave.Answers[i].Worked, gave.Answers[i].Said))
	}
	return results, gave.Methods
}

func methodOf(one clientCase) string {
	method, _, _ := strings.Cut(one.name, ",")
	return method
}

// Where the client says nothing of what it did, a later case shows what has come of it.
var managementCases = []clientCase{
	{name: "listAllOrganizations", input: []any{}, prints: `"name":"Tools"`},
	{name: "getAnOrganization", input: []any{"{org}"}, prints: `"name":"Tools"`},
	{name: "createAnOrganization", input: []any{body{"name": "By client"}}, prints: `"name":"By client"`},
	{name: "listOrganizationMembers", input: []any{"{org}"}, prints: "Owner"},
	{name: "listAllProjects", input: []any{}, prints: "{ref}"},
	{name: "getAllProjectsForOrganization", input: []any{"{org}"}, prints: "{ref}"},
	{name: "getAvailableRegions", input: []any{body{"organization_slug": "{org}"}}, prints: `"specific":[`},
	{name: "getProject", input: inRef(), prints: "ACTIVE_HEALTHY"},
	{name: "updateAProject", input: inRef(body{"name": "shop"}), prints: `"name":"shop"`},
	{name: "createAProject", input: []any{body{"name": "second", "organization_slug": "{org}", "organization_id": "{org}", "db_pass": "correct horse", "region": "eu-central-1"}}, prints: `"name":"second"`, keep: "second"},
	{name: "deleteAProject", input: []any{"{second}"}, prints: "second"},
	{name: "getServicesHealth", input: inRef(body{"services": []string{"db"}}), prints: "ACTIVE_HEALTHY"},
	{name: "listActionRuns", input: inRef(), prints: `"run_steps"`, keep: "run"},
	{name: "countActionRuns", input: inRef(), prints: ""},
	{name: "getActionRun", input: inRef("{run}"), prints: `"run_steps"`},
	{name: "getActionRunLogs", input: inRef("{run}"), prints: "create was asked for"},
	{name: "updateActionRunStatus", input: inRef("{run}", body{"deploy": "EXITED"}), prints: "What becomes of an operation is noted by the provisioner alo", because: "What becomes of an operation is noted by the provisioner alone: nobody else can."},

	{name: "runAQuery", input: inRef(body{"query": "select 41 + 1 as answer"}), prints: "42"},
	{name: "readOnlyQuery", input: inRef(body{"query": "select 41 + 1 as answer"}), prints: "42"},
	{name: "readOnlyQuery, to write", input: inRef(body{"query": "create table written (a int)"}), prints: "[readOnlyQuery] failed: Failed to run sql query: ERROR:  250", because: "[readOnlyQuery] failed: Failed to run sql query: ERROR:  25006: cannot execute CREATE TABLE in a read-only transaction"},
	{name: "upsertAMigration", input: inRef(body{"query": "select 1", "name": "by_client"}), prints: ""},
	{name: "applyAMigration", input: inRef(body{"query": "create table by_client (a int)", "name": "table_by_client"}), prints: ""},
	{name: "listMigrationHistory", input: inRef(), prints: "table_by_client"},
	{name: "getAMigration", input: inRef("20260301120000"), prints: "Migration not found", because: "Migration not found"},
	{name: "patchAMigration", input: inRef("20260301120000", body{"name": "renamed"}), prints: "Migration not found", because: "Migration not found"},
	{name: "rollbackMigrations", input: inRef(body{"gte": "29990101000000"}), prints: "Migration not found", because: "There is no migration so late."},
	{name: "generateTypescriptTypes", input: inRef(), prints: "by_client"},
	{name: "getDatabaseMetadata", input: inRef(), prints: "postgres"},
	{name: "enableDatabaseWebhook", input: inRef(), prints: "This project's Postgres has not the extension pg_net, which ", because: "This project's Postgres has not the extension pg_net, which database webhooks are sent by."},
	{name: "createLoginRole", input: inRef(body{"read_only": true}), prints: "password"},
	{name: "deleteLoginRoles", input: inRef(), prints: "ok"},
	{name: "getReadonlyModeStatus", input: inRef(), prints: "enabled"},
	{name: "disableReadonlyModeTemporarily", input: inRef(), prints: ""},
	{name: "getJitAccessConfig", input: inRef(), prints: "Access to the database for a while", because: "Access to the database for a while is not handed out."},
	{name: "updateJitAccessConfig", input: inRef(body{"state": "enabled"}), prints: "Access to the database for a while is not something that thi", because: "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."},
	{name: "getJitAccess", input: inRef(), prints: "Access to the database for a while is not something that thi", because: "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."},
	{name: "authorizeJitAccess", input: inRef(body{"role": "postgres", "rhost": "127.0.0.1"}), prints: "Access to the database for a while is not something that thi", because: "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."},
	{name: "updateJitAccess", input: inRef(body{"user_id": "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", "roles": []any{}}), prints: "Access to the database for a while is not something that thi", because: "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."},
	{name: "listJitAccess", input: inRef(), prints: ""},
	{name: "deleteJitAccess", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"), prints: "Access to the database for a while is not something that thi", because: "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."},
	{name: "getPostgresConfig", input: inRef(), prints: "{"},
	{name: "getPoolerConfig", input: inRef(), prints: ""},
	{name: "updatePoolerConfig", input: inRef(body{"default_pool_size": 10}), prints: ""},
	{name: "getProjectPgbouncerConfig", input: inRef(), prints: ""},
	{name: "getPgsodiumConfig", input: inRef(), prints: "stays inside the project", because: "The root key of pgsodium stays inside the project's database."},
	{name: "updatePgsodiumConfig", input: inRef(body{"root_key": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}), prints: "The root key of pgsodium stays inside the project's database", because: "The root key of pgsodium stays inside the project's database: it is neither shown nor set from here."},
	{name: "getSslEnforcementConfig", input: inRef(), prints: "currentConfig"},
	{name: "updateSslEnforcementConfig", input: inRef(body{"requestedConfig": body{"database": true}}), prints: `"database":true`},
	{name: "getNetworkRestrictions", input: inRef(), prints: "dbAllowedCidrs"},
	{name: "updateNetworkRestrictions", input: inRef(body{"dbAllowedCidrs": []string{"0.0.0.0/0"}, "dbAllowedCidrsV6": []string{"::/0"}}), prints: "0.0.0.0/0"},
	{name: "patchNetworkRestrictions", input: inRef(body{"add": body{"dbAllowedCidrs": []string{"10.0.0.0/8"}}}), prints: ""},
	{name: "listAllNetworkBans", input: inRef(), prints: "banned_ipv4_addresses"},
	{name: "listAllNetworkBansEnriched", input: inRef(), prints: "banned_ipv4_addresses"},
	{name: "deleteNetworkBans", input: inRef(body{"ipv4_addresses": []string{"192.0.2.1"}}), prints: ""},
	{name: "getDiskUtilization", input: inRef(), prints: "fs_size_bytes", note: "Once the project was measured."},
	{name: "modifyDatabaseDisk", input: inRef(body{"attributes": body{"type": "gp3", "iops": 3000, "size_gb": 100}}), prints: "A project's data lies on the operator's own disk: it has no ", because: "A project's data lies on the operator's own disk: it has no size, speed or growth of its own that could be set or told from here."},
	{name: "getProjectDiskAutoscaleConfig", input: inRef(), prints: ""},
	{name: "setupAReadReplica", input: inRef(body{"read_replica_region": "eu-central-1"}), prints: "This platform runs one database server for each project: the", because: "This platform runs one database server for each project: there are no read replicas."},
	{name: "removeAReadReplica", input: inRef(body{"database_identifier": "a"}), prints: "This platform runs one database server for each project: the", because: "This platform runs one database server for each project: there are no read replicas."},
	{name: "listAllBackups", input: inRef(), prints: "backups"},
	{name: "restorePitrBackup", input: inRef(body{"recovery_time_target_unix": 1}), prints: "There is no recovery to a point in time here, and no backup ", because: "There is no recovery to a point in time here, and no backup that was made before this one."},
	{name: "createRestorePoint", input: inRef(body{"name": "a"}), prints: "Restore points belong to physical backups, which this platfo", because: "Restore points belong to physical backups, which this platform does not make. Every backup can be restored."},
	{name: "getRestorePoint", input: inRef(), prints: "Restore points belong to physical backups, which this platfo", because: "Restore points belong to physical backups, which this platform does not make. Every backup can be restored."},
	{name: "undo", input: inRef(body{"name": "a"}), prints: "Restore points belong to physical backups, which this platfo", because: "Restore points belong to physical backups, which this platform does not make. Every backup can be restored."},
	{name: "getPostgresUpgradeEligibility", input: inRef(), prints: "eligible"},
	{name: "getPostgresUpgradeStatus", input: inRef(), prints: "databaseUpgradeStatus"},
	{name: "upgradePostgresVersion", input: inRef(body{"target_version": "99"}), prints: "target_version: the deployment target offers Postgres 15.", because: "target_version: the deployment target offers Postgres 15."},

	{name: "getProjectApiKeys", input: inRef(), prints: "service_role"},
	{name: "createProjectApiKey", input: inRef(body{"type": "publishable", "name": "by_client"}), prints: "sb_publishable_", keep: "key"},
	{name: "getProjectApiKey", input: inRef("{key}"), prints: "by_client"},
	{name: "updateProjectApiKey", input: inRef("{key}", body{"description": "of the client"}), prints: "of the client"},
	{name: "deleteProjectApiKey", input: inRef("{key}"), prints: "by_client"},
	{name: "getProjectLegacyApiKeys", input: inRef(), prints: "enabled"},
	{name: "updateProjectLegacyApiKeys", input: inRef(body{"enabled": true}), prints: "enabled"},
	{name: "createLegacySigningKey", input: inRef(), prints: "HS256"},
	{name: "getLegacySigningKey", input: inRef(), prints: "HS256"},
	{name: "createProjectSigningKey", input: inRef(body{"algorithm": "ES256"}), prints: "standby", keep: "signing"},
	{name: "getProjectSigningKeys", input: inRef(), prints: "ES256"},
	{name: "getProjectSigningKey", input: inRef("{signing}"), prints: "ES256"},
	{name: "updateProjectSigningKey", input: inRef("{signing}", body{"status": "standby"}), prints: "standby"},
	{name: "removeProjectSigningKey", input: inRef("{signing}"), prints: ""},

	{name: "getAuthServiceConfig", input: inRef(), prints: "site_url"},
	{name: "updateAuthServiceConfig", input: inRef(body{"site_url": "https://shop.example"}), prints: "https://shop.example"},
	{name: "createProjectTpaIntegration", input: inRef(body{"oidc_issuer_url": "https://127.0.0.1"}), prints: "127.0.0.1 cannot be reached.", because: "127.0.0.1 cannot be reached."},
	{name: "listProjectTpaIntegrations", input: inRef(), prints: "[]"},
	{name: "getProjectTpaIntegration", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"), prints: "Third-party authentication not found", because: "Third-party authentication not found"},
	{name: "deleteProjectTpaIntegration", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"), prints: "Third-party authentication not found", because: "Third-party authentication not found"},
	{name: "createASsoProvider", input: inRef(body{"type": "saml", "metadata_url": "https://idp.example"}), prints: "This project runs without Auth.", because: "This project runs without Auth."},
	{name: "listAllSsoProvider", input: inRef(), prints: "This project runs without Auth.", because: "This project runs without Auth."},
	{name: "getASsoProvider", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"), prints: "This project runs without Auth.", because: "This project runs without Auth."},
	{name: "updateASsoProvider", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", body{}), prints: "This project runs without Auth.", because: "This project runs without Auth."},
	{name: "deleteASsoProvider", input: inRef("6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"), prints: "This project runs without Auth.", because: "This project runs without Auth."},
	{name: "getPostgrestServiceConfig", input: inRef(), prints: "db_schema"},
	{name: "updatePostgrestServiceConfig", input: inRef(body{"max_rows": 500}), prints: "500"},
	{name: "getRealtimeConfig", input: inRef(), prints: "max_concurrent_users"},
	{name: "updateRealtimeConfig", input: inRef(body{"max_concurrent_users": 100}), prints: ""},
	{name: "shutdownRealtime", input: inRef(), prints: "The project has no service \"realtime\".", because: "The project has no service \"realtime\"."},
	{name: "getStorageConfig", input: inRef(), prints: "fileSizeLimit"},
	{name: "updateStorageConfig", input: inRef(body{"fileSizeLimit": 1000000}), prints: ""},
	{name: "listAllBuckets", input: inRef(), prints: "This project runs without Storage.", because: "This project runs without Storage."},

	{name: "bulkCreateSecrets", input: inRef([]body{{"name": "BY_CLIENT", "value": "1"}}), prints: ""},
	{name: "listAllSecrets", input: inRef(), prints: "BY_CLIENT"},
	{name: "bulkDeleteSecrets", input: inRef([]string{"BY_CLIENT"}), prints: ""},
	{name: "createAFunction", input: inRef(body{"slug": "by-client", "name": "by-client", "body": "Deno.serve(() => new Response())"}), prints: "by-client", keep: "function"},
	{name: "listAllFunctions", input: inRef(), prints: "by-client"},
	{name: "getAFunction", input: inRef("by-client"), prints: "by-client"},
	{name: "updateAFunction", input: inRef("by-client", body{"verify_jwt": false}), prints: `"verify_jwt":false`},
	{name: "bulkUpdateFunctions", input: inRef([]body{{"id": "by-client", "slug": "by-client", "name": "by-client", "status": "ACTIVE", "version": 1}}), prints: "by-client"},
	{name: "deployAFunction", input: inRef(body{"metadata": body{"entrypoint_path": "index.ts", "name": "by-form"}, "file": []any{}}), prints: "entrypoint_path: no file of this path was sent.", because: "entrypoint_path: no file of this path was sent."},
	{
		name: "getAFunctionBody", input: inRef("by-client"), prints: "Accept: multipart/form-data",
		because: "The client asks for a bundle, and the platform keeps the source.",
	},
	{name: "getProjectFunctionCombinedStats", input: inRef(body{"interval": "1day", "function_id": "{function}"}), prints: `"result":[]`},
	{name: "deleteAFunction", input: inRef("by-client"), prints: ""},
	{name: "listAllSnippets", input: []any{}, prints: "data"},
	{name: "getASnippet", input: []any{"6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"}, prints: "Snippet not found", because: "Snippet not found"},

	{name: "getPerformanceAdvisors", input: inRef(), prints: "lints"},
	{name: "getSecurityAdvisors", input: inRef(), prints: "lints"},
	{name: "getProjectLogs", input: inRef(), prints: `"result":[]`},
	{name: "getProjectUsageApiCount", input: inRef(), prints: "result"},
	{name: "getProjectUsageRequestCount", input: inRef(), prints: "result"},
	{name: "listProjectAddons", input: inRef(), prints: "selected_addons"},
	{name: "applyProjectAddon", input: inRef(body{"addon_type": "pitr", "addon_variant": "pitr_7"}), prints: "addon_type: This is a self-hosted platform: nothing is sold ", because: "addon_type: This is a self-hosted platform: nothing is sold here, and there is nothing to pay."},
	{name: "removeProjectAddon", input: inRef("pitr_7"), prints: "The project has no such add-on.", because: "The project has no such add-on."},
	{name: "getHostnameConfig", input: inRef(), prints: "The project has no custom hostname configuration.", because: "The project has no custom hostname configuration."},
	{name: "updateHostnameConfig", input: inRef(body{"custom_hostname": "shop.example"}), prints: "shop.example"},
	{name: "verifyDnsConfig", input: inRef(), prints: "shop.example"},
	{name: "activateCustomHostname", input: inRef(), prints: "The project has no verified hostname: verify it first.", because: "The project has no verified hostname: verify it first."},
	{name: "deleteHostnameConfig", input: inRef(), prints: ""},
	{name: "getVanitySubdomainConfig", input: inRef(), prints: "status"},
	{name: "checkVanitySubdomainAvailability", input: inRef(body{"vanity_subdomain": "shop-by-client"}), prints: "available"},
	{name: "activateVanitySubdomainConfig", input: inRef(body{"vanity_subdomain": "shop-by-client"}), prints: "shop-by-client"},
	{name: "deactivateVanitySubdomainConfig", input: inRef(), prints: ""},

	{name: "createABranch", input: inRef(body{"branch_name": "by-client"}), prints: `"name":"by-client"`, keep: "branch"},
	{name: "listAllBranches", input: inRef(), prints: `"name":"by-client"`},
	{name: "getABranch", input: inRef("by-client"), prints: `"parent_project_ref":"{ref}"`},
	{name: "getABranchConfig", input: []any{"{branch}"}, prints: `"db_pass"`},
	{name: "updateABranchConfig", input: []any{"{branch}", body{"branch_name": "renamed-by-client"}}, prints: "renamed-by-client"},
	{name: "diffABranch", input: []any{"{branch}"}, prints: "", patient: true},
	{name: "pushABranch", input: []any{"{branch}", body{}}, prints: "workflow_run_id", patient: true},
	{name: "mergeABranch", input: []any{"{branch}", body{}}, prints: "workflow_run_id", patient: true},
	{name: "resetABranch", input: []any{"{branch}", body{}}, prints: "workflow_run_id", patient: true},
	{name: "restoreABranch", input: []any{"{branch}"}, prints: "The branch is not among those that wait for their deletion.", because: "The branch is not among those that wait for their deletion."},
	{name: "deleteABranch", input: []any{"{branch}"}, prints: `"message":"ok"`},
	{name: "disablePreviewBranching", input: inRef(), prints: "The project has branches (", because: "The project has branches: delete them first."},
	{name: "getProjectClaimToken", input: inRef(), prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "createProjectClaimToken", input: inRef(), prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "deleteProjectClaimToken", input: inRef(), prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "getOrganizationProjectClaim", input: []any{"{org}", "token"}, prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "claimProjectForOrganization", input: []any{"{org}", "token"}, prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "authorizeUser", input: []any{body{"client_id": "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", "response_type": "code", "redirect_uri": "https://app.example"}}, prints: "There is no OAuth app with this client_id.", because: "There is no OAuth app with this client_id."},
	{name: "oauthAuthorizeProjectClaim", input: []any{body{"project_ref": "{ref}", "client_id": "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", "response_type": "code", "redirect_uri": "https://app.example"}}, prints: "Projects are claimed from Supabase's partners alone, and the", because: "Projects are claimed from Supabase's partners alone, and there are none here."},
	{name: "exchangeOauthToken", input: []any{body{"grant_type": "refresh_token", "refresh_token": "none", "client_id": "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11"}}, prints: "There is no OAuth app with this client_id and secret.", because: "There is no OAuth app with this client_id and secret."},
	{name: "revokeToken", input: []any{body{"client_id": "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", "client_secret": "none", "refresh_token": "none"}}, prints: "There is no OAuth app with this client_id and secret.", because: "There is no OAuth app with this client_id and secret."},
	// The database is restarted by it.
	{name: "updatePostgresConfig", input: inRef(body{"statement_timeout": "60s"}), prints: "60s"},
	{name: "updateDatabasePassword", input: inRef(body{"password": "correct horse; battery 'staple'"}), prints: ""},
	{name: "listAvailableRestoreVersions", input: inRef(), prints: ""},
	{name: "cancelAProjectRestoration", input: inRef(), prints: "A restore cannot be called off here: it ends by itself, or f", because: "A restore cannot be called off here: it ends by itself, or fails and says why."},
	{name: "restoreAProject", input: inRef(), prints: "The project is running: it cannot be changed by a restore no", because: "The project is running: it cannot be changed by a restore now."},
	{name: "pauseAProject", input: []any{"aaaaaaaaaaaaaaaaaaaa"}, prints: "Project not found", because: "Project not found"},
}

var managementErrors = []clientCase{
	{name: "listAllProjects, with a wrong token", input: []any{}, prints: "Invalid or expired token", because: "The answer has what the API says."},
	{name: "listAllFunctions, with a token that may not", input: inRef(), prints: "does not have the permission edge_functions_read", because: "The answer has what the API says."},
	{name: "getProject, of one that is not there", input: []any{aRefOfNobody}, prints: "Project not found", because: "The answer has what the API says."},
}

func (c *clients) runManagementErrors(given tokens) []result {
	return slices.Concat(c.askManagement(given.wrong, managementErrors[:1]), c.askManagement(given.weak, managementErrors[1:2]),
		c.askManagement(c.platform.AccessToken(), managementErrors[2:]))
}

var managementPaused = []clientCase{{
	name: "runAQuery, of a project that is paused", input: inRef(body{"query": "select 1"}), prints: "the project is INACTIVE",
	because: "The answer has what the API says.",
}}
