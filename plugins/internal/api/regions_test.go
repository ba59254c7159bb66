package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/store"
)

// offeringExamples are those of what an installation offers.
var offeringExamples = map[string]example{
	"GET /platform/projects/available-regions":             {prepare: twoTargets, query: "cloud_provider=AWS&organization_slug={slug}"},
	"GET /v1/projects/available-regions":                   {prepare: twoTargets, query: "organization_slug={slug}"},
	"GET /platform/organizations/{slug}/available-regions": {prepare: twoTargets, query: "cloud_provider=AWS"},
	"GET /platform/custom-content":                         {prepare: twoTargets},
	"PUT /v1/projects/{ref}/services":                      {body: `{"services":["db","auth"]}`},
}

// twoTargets has two deployment targets at work, which the operator gave names.
func twoTargets(w *world, _ place) map[string]string {
	w.beat("local", 4<<30)
	w.beat("attic", 1<<29)
	w.settings.Instance.Regions = []instance.Region{
		{Target: "local", Name: "Basement", Code: "eu-central-1"}, {Target: "attic", Name: "Attic", Code: "eu-west-1"},
	}
	return nil
}

// beat lets a target's provisioner be heard of.
func (w *world) beat(target string, memory int64) {
	w.t.Helper()
	require.NoError(w.t, w.store.BeatTarget(w.t.Context(), store.Target{
		Name: target, Owner: "p", Version: "1", CPUs: 2, MemoryBytes: memory, Services: []string{"db", "auth", "rest"},
		Images: map[string]string{"db": "supabase/postgres:17.6.1.132"},
	}))
}

func (w *world) silence(target string) {
	w.t.Helper()
	w.exec(`update platform.targets set heartbeat_at = heartbeat_at - interval '1 hour' where name = $1`, target)
}

func TestRegionsAreTheDeploymentTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	regions := func(query string) (all, recommended []any) {
		t.Helper()
		var info struct {
			All, Recommendations struct {
				Specific   []any
				SmartGroup any
			}
		}
		w.list(w.as(store.RoleReadOnly), "/platform/organizations/"+p.slug+"/available-regions?"+query, &info)
		require.Len(t, info.All.SmartGroup, 1)
		require.Equal(t, info.All.SmartGroup.([]any)[0], info.Recommendations.SmartGroup)
		return info.All.Specific, info.Recommendations.Specific
	}
	all, recommended := regions("cloud_provider=FLY")
	require.Empty(t, all, "no provisioner was heard of yet")
	require.Empty(t, recommended)

	w.beat("attic", 1<<29)
	w.beat("local", 4<<30)
	local := map[string]any{"code": "local", "name": "local", "provider": "FLY", "type": "specific"}
	small := map[string]any{"code": "attic", "name": "attic", "provider": "FLY", "type": "specific", "status": "capacity"}
	all, recommended = regions("cloud_provider=FLY")
	require.Equal(t, []any{local, small}, all, "the default target is first; half a gigabyte is too small for the default size")
	require.Equal(t, []any{local}, recommended)

	delete(small, "status")
	all, _ = regions("cloud_provider=FLY&desired_instance_size=nano")
	require.Equal(t, []any{local, small}, all)

	w.settings.Instance.Regions = []instance.Region{{Target: "local", Name: "Basement", Code: "eu-central-1", Projects: 1}}
	w.silence("attic")
	all, recommended = regions("desired_instance_size=nano")
	require.Equal(t, []any{
		map[string]any{"code": "eu-central-1", "name": "Basement", "provider": "AWS", "type": "specific", "status": "capacity"},
		map[string]any{"code": "attic", "name": "attic", "provider": "AWS", "type": "specific", "status": "other"},
	}, all, "one is full, the other silent")
	require.Empty(t, recommended)

	w.exec(`update platform.projects set desired = 'inactive'`)
	_, recommended = regions("desired_instance_size=nano")
	require.Len(t, recommended, 1, "a paused project takes no room")
	require.Equal(t, http.StatusBadRequest, w.raw(w.as(store.RoleOwner), http.MethodGet, "/v1/projects/available-regions?desired_instance_size=giant", "").Code)
}

func TestANewProjectGoesWhereItsRegionLeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner := w.as(store.RoleOwner)
	w.beat("local", 4<<30)
	w.beat("attic", 64<<30)
	w.settings.Instance.Regions = []instance.Region{{Target: "attic", Name: "Under the roof", Code: "eu-west-1"}}
	made := 0
	create := func(path, region string) (int, map[string]any) {
		t.Helper()
		made++
		return w.send(owner, http.MethodPost, path, `{"organization_slug":"`+p.slug+`","name":"shop","db_pass":"correct horse","cloud_provider":"AWS"`+region+`}`)
	}
	const platform, v1 = "/platform/projects", "/v1/projects"
	for _, test := range []struct{ path, region, target string }{
		{platform, ``, "local"},
		{platform, `,"db_region":"Southeast Asia (Singapore)"`, "local"}, // no rule of the operator's names it
		{platform, `,"db_region":"Default: local"`, "local"},
		{platform, `,"region_selection":{"code":"americas","type":"smartGroup"}`, "local"},
		{platform, `,"db_region":"West EU (Ireland)"`, "attic"},
		{platform, `,"db_region":"attic"`, "attic"},
		{platform, `,"db_region":"Europe","region_selection":{"code":"eu-west-1","type":"specific"}`, "attic"},
		{v1, `,"region":"eu-west-1"`, "attic"},
		{v1, `,"region_selection":{"code":"under the roof","type":"specific"}`, "attic"},
		{v1, `,"region":"us-east-1"`, "local"},
	} {
		status, answer := create(test.path, test.region)
		require.Equal(t, http.StatusCreated, status, answer)
		var target string
		require.NoError(t, w.connection.QueryRow(t.Context(), `select target from platform.projects where ref = $1`, answer["ref"]).Scan(&target))
		require.Equal(t, test.target, target, test.region)
		require.Equal(t, w.settings.Instance.RegionOf(target).Name, answer["region"], "the answer says where it really is")
	}

	var before, after int
	count := func(into *int) {
		require.NoError(t, w.connection.QueryRow(t.Context(), `select count(*) from platform.projects`).Scan(into))
	}
	count(&before)
	refused := func(region string, status int, message string) {
		t.Helper()
		got, answer := create(platform, region)
		require.Equal(t, status, got, answer)
		require.Contains(t, answer["message"], message)
	}
	refused(`,"db_region":"Atlantis"`, http.StatusBadRequest, `There is no region "Atlantis". There are: local, Under the roof.`)
	refused(`,"desired_instance_size":"giant"`, http.StatusBadRequest, "there is no compute size")
	refused(`,"desired_instance_size":"xlarge"`, http.StatusBadRequest, `the deployment target "local" has less memory`)
	w.settings.Instance.Regions[0].Projects = 3
	refused(`,"db_region":"attic"`, http.StatusConflict, `The deployment target "attic" is full: 3 projects may run there.`)
	w.silence("attic")
	refused(`,"db_region":"attic"`, http.StatusConflict, `No provisioner works for the deployment target "attic" now`)
	count(&after)
	require.Equal(t, before, after, "what is refused changes nothing")

	w.silence("local")
	status, answer := create(platform, "")
	require.Equal(t, http.StatusCreated, status, "who chooses none waits for the operator's own")
	require.Equal(t, "COMING_UP", answer["status"])
}

func TestServicesAreChosenAtCreationAndLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner := w.as(store.RoleOwner)
	w.beat("local", 4<<30)
	create := func(choice string) (int, map[string]any) {
		t.Helper()
		return w.send(owner, http.MethodPost, "/v1/projects", `{"organization_slug":"`+p.slug+`","name":"shop","db_pass":"correct horse"`+choice+`}`)
	}
	services := func(ref any) []any {
		t.Helper()
		_, answer := w.send(owner, http.MethodGet, "/v1/projects/"+ref.(string)+"/services", "")
		require.Len(t, answer["available"], len(store.AllServices))
		return answer["services"].([]any)
	}
	for choice, want := range map[string][]any{
		``: {"db", "auth", "rest"},
		`,"local_runtime":{"exclude_services":["auth","realtime"]}`: {"db", "rest"},
		`,"services":["db","pooler"]`:                               {"db", "pooler"},
	} {
		status, made := create(choice)
		require.Equal(t, http.StatusCreated, status, made)
		require.Equal(t, want, services(made["ref"]), choice)
	}
	for choice, message := range map[string]string{
		`,"services":["auth"]`:                             "services: A project cannot do without its database.",
		`,"services":["db","vector"]`:                      `services: There is no service "vector".`,
		`,"local_runtime":{"exclude_services":["db"]}`:     "services: A project cannot do without its database.",
		`,"local_runtime":{"exclude_services":["vector"]}`: `local_runtime.exclude_services: there is no service "vector".`,
		`,"services":["db","imgproxy"]`:                    "services: The service imgproxy is of no use without storage.",
	} {
		status, answer := create(choice)
		require.Equal(t, http.StatusBadRequest, status, choice)
		require.Equal(t, message, answer["message"])
	}

	path := "/v1/projects/" + p.ref + "/services"
	status, answer := w.send(owner, http.MethodPut, path, `{"services":["db","imgproxy"]}`)
	require.Equal(t, http.StatusBadRequest, status, answer)
	require.Equal(t, []any{"db"}, services(p.ref))
	status, answer = w.send(owner, http.MethodPut, path, `{"services":["db","storage"]}`)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, []any{"db", "storage"}, answer["services"])
	require.Equal(t, []any{"db", "storage"}, services(p.ref))
}

func TestCustomContentSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place()
	content := func() CustomContent {
		t.Helper()
		var c CustomContent
		w.list(w.as(store.RoleReadOnly), "/platform/custom-content", &c)
		return c
	}
	c := content()
	require.Empty(t, c.DeploymentTargets)
	require.Nil(t, c.Welcome)
	require.True(t, c.Services[3].DefaultEnabled, "storage is among what a project has where nobody decides")

	w.beat("local", 1<<29)
	w.settings.Instance.Welcome = "Hello."
	c = content()
	require.Equal(t, []DeploymentTarget{{
		ID: "local", Label: "local", Description: "2 processors, 0.5 GB of memory, Postgres 17.6.1.132", Provider: "LOCAL", Available: true,
		DefaultSize: "nano", InstanceSizes: []string{"nano"},
	}}, c.DeploymentTargets, "no size is offered that the machine cannot carry")
	require.False(t, c.Services[3].DefaultEnabled, "the target's new projects have no storage")
	require.Equal(t, "Hello.", *c.Welcome)

	w.silence("local")
	c = content()
	require.False(t, c.DeploymentTargets[0].Available)
	require.Contains(t, c.DeploymentTargets[0].Description, "nothing can be made there now")
}

func TestTheOperatorNamesThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.settings.Instance.Plan = "Acme Cloud"
	for _, path := range []string{"/platform/organizations/" + p.slug, "/platform/organizations/" + p.slug + "/billing/subscription"} {
		_, answer := w.send(w.as(store.RoleOwner), http.MethodGet, path, "")
		require.Equal(t, map[string]any{"id": "enterprise", "name": "Acme Cloud"}, answer["plan"])
	}
}
