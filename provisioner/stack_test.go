package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/provisioner/internal/standin"
	"github.com/plurabase/plurabase/store"
)

// TestTheWholeStack runs a project with every default service on real Docker: the database as it is, and stand-ins, named as
// such, for the services whose images no registry has for us here.
func TestTheWholeStack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	image, err := standin.EnsureImage(t.Context(), b.docker)
	require.NoError(t, err)
	environment := []string{"PLURABASE_PUBLIC_URL=https://studio.example.com", "PLURABASE_PROJECT_DOMAIN=example.com"}
	for _, service := range store.DefaultServices {
		if service != store.ServiceDatabase {
			environment = append(environment, images.Variable(service)+"="+image)
		}
	}
	b.start(environment...)
	ref := b.createWith("shop", store.DefaultServices)
	project := b.settle(ref, "create")

	services := b.services(project)
	require.Len(t, services, len(store.DefaultServices))
	for name, service := range services {
		require.True(t, service.Healthy, name)
		require.Nil(t, service.Message, name)
		if name != store.ServiceDatabase {
			require.Equal(t, image, service.Image)
			require.Equal(t, "/some/path", b.echo(service, "/some/path"), "%s answers where the gateway is told that it is", name)
		}
	}
	b.signIn(services["db"], databasePassword)
	b.keep(services["storage"], "it is still there")

	before := b.containers(ref)
	_, err = b.store.UpdateProjectConfig(t.Context(), b.actor(), ref, store.ConfigAuth, store.SectionConfig{"SITE_URL": "https://shop.example"})
	require.NoError(t, err)
	b.settle(ref, "configure")
	require.Equal(t, []string{"auth"}, changed(before, b.containers(ref)), "what a change does not concern goes on")
	require.Contains(t, b.environment(ref, "auth"), "GOTRUE_SITE_URL=https://shop.example")

	before = b.containers(ref)
	_, err = b.store.ChangeDatabasePassword(t.Context(), b.actor(), ref, "another password")
	require.NoError(t, err)
	b.settle(ref, "configure")
	require.Equal(t, []string{"auth", "functions", "realtime", "rest", "storage"}, changed(before, b.containers(ref)))
	b.signIn(services["db"], "another password")

	before = b.containers(ref)
	_, err = b.store.ResizeProject(t.Context(), b.actor(), ref, "medium")
	require.NoError(t, err)
	b.settle(ref, "resize")
	require.Empty(t, changed(before, b.containers(ref)), "more is given while it runs")
	inspected, err := b.docker.ContainerInspect(t.Context(), "plurabase-"+string(ref)+"-db")
	require.NoError(t, err)
	require.Equal(t, int64(4<<30), inspected.HostConfig.Memory)

	_, err = b.store.ChangeServices(t.Context(), b.actor(), ref, []string{"db", "storage"})
	require.NoError(t, err)
	b.settle(ref, "configure")
	left := b.services(project)
	require.Len(t, left, 2, "what was left out is not reported")
	require.Equal(t, services["storage"].Host, left["storage"].Host, "the others stay where they are")
	require.Len(t, b.containers(ref), 2)
	objects := b.objects("io.plurabase.project=" + string(ref))
	require.Contains(t, objects, "volume plurabase-"+string(ref)+"-functions", "its volume is kept")
	require.Equal(t, "it is still there", b.kept(left["storage"]))

	b.change(ref, store.OperationDelete)
	b.awaitGone(ref)
	require.Empty(t, b.objects("io.plurabase.project="+string(ref)))
}

func (b *bundle) createWith(name string, services []string) store.Ref {
	b.Helper()
	project, err := b.store.CreateProject(b.Context(), b.actor(), store.NewProject{
		OrganizationID: b.orgID, Name: name, CloudProvider: "LOCAL", Region: "local", Target: b.target,
		ComputeSize: "nano", Services: services, DatabasePassword: databasePassword,
	})
	require.NoError(b, err)
	return project.Ref
}

// settle waits until a project is what is wanted of it, and well. Seven containers take their time on a busy machine.
func (b *bundle) settle(ref store.Ref, kind string) store.Project {
	b.Helper()
	var project store.Project
	require.Eventually(b, func() bool {
		project = b.project(ref)
		return project.Status == store.StatusActiveHealthy && project.ObservedGeneration == project.Generation
	}, 4*patience, 50*time.Millisecond, kind)
	require.Equal(b, kind+":succeeded", scalar[string](b, `
		select kind || ':' || state from platform.operations where project_ref = $1 order by id desc limit 1`, ref))
	return project
}

func (b *bundle) services(project store.Project) map[string]store.ServiceState {
	b.Helper()
	list, err := b.store.ProjectServices(b.Context(), project.ID)
	require.NoError(b, err)
	services := map[string]store.ServiceState{}
	for _, one := range list {
		services[one.Service] = one
	}
	return services
}

func (b *bundle) request(service store.ServiceState, method, path, body string) string {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), method, fmt.Sprintf("http://%s:%d%s", service.Host, service.Port, path), strings.NewReader(body))
	require.NoError(b, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(b, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(b, http.StatusOK, response.StatusCode)
	answer, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	return string(answer)
}

// echo returns the path that a stand-in was asked for.
func (b *bundle) echo(service store.ServiceState, path string) string {
	b.Helper()
	var answer struct {
		StandIn bool
		Path    string
	}
	require.NoError(b, json.Unmarshal([]byte(b.request(service, http.MethodGet, path, "")), &answer))
	require.True(b, answer.StandIn)
	return answer.Path
}

func (b *bundle) keep(storage store.ServiceState, content string) {
	b.request(storage, http.MethodPut, "/kept/file", content)
}

func (b *bundle) kept(storage store.ServiceState) string {
	return b.request(storage, http.MethodGet, "/kept/file", "")
}

// signIn signs in as a service does, at the database's own address.
func (b *bundle) signIn(database store.ServiceState, password string) {
	b.Helper()
	for _, role := range []string{"authenticator", "supabase_auth_admin", "supabase_storage_admin", "postgres"} {
		config, err := pgx.ParseConfig("dbname=postgres sslmode=disable")
		require.NoError(b, err)
		config.Host, config.Port, config.User, config.Password = database.Host, uint16(database.Port), role, password
		connection, err := pgx.ConnectConfig(b.Context(), config)
		require.NoError(b, err, role)
		require.NoError(b, connection.Close(context.Background()))
	}
}

// containers returns the ids of a project's containers by service.
func (b *bundle) containers(ref store.Ref) map[string]string {
	b.Helper()
	prefix := "container plurabase-" + string(ref) + "-"
	ids := map[string]string{}
	for _, object := range b.objects("io.plurabase.project=" + string(ref)) {
		if service, ok := strings.CutPrefix(object, prefix); ok {
			ids[service] = b.containerID("plurabase-" + string(ref) + "-" + service)
		}
	}
	return ids
}

// changed returns the services whose containers are others, in the order of their names.
func changed(before, after map[string]string) (services []string) {
	for _, service := range []string{"auth", "db", "functions", "imgproxy", "realtime", "rest", "storage"} {
		if before[service] != after[service] {
			services = append(services, service)
		}
	}
	return services
}

func (b *bundle) environment(ref store.Ref, service string) []string {
	b.Helper()
	inspected, err := b.docker.ContainerInspect(b.Context(), "plurabase-"+string(ref)+"-"+service)
	require.NoError(b, err)
	return inspected.Config.Env
}
