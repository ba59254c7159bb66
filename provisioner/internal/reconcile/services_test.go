package reconcile_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// withServices lets projects have every service, of one image.
func withServices(s *reconcile.Settings) {
	s.Stack.Images = map[string]string{}
	for _, service := range store.AllServices {
		s.Stack.Images[service] = image
	}
}

func (b *bundle) createWith(services ...string) store.Ref {
	b.Helper()
	made, err := b.store.CreateProject(b.Context(), b.actor(), store.NewProject{
		OrganizationID: b.organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local",
		ComputeSize: "micro", Services: services, DatabasePassword: "password",
	})
	require.NoError(b, err)
	return made.Ref
}

// services says of each service of a project where it is, and what ails it.
func (b *bundle) services(project store.Project) map[string]string {
	b.Helper()
	found, err := b.store.ProjectServices(b.Context(), project.ID)
	require.NoError(b, err)
	services := map[string]string{}
	for _, one := range found {
		services[one.Service] = one.Host
		if !one.Healthy {
			services[one.Service] += ": " + *one.Message
		}
	}
	return services
}

func (b *bundle) becomeServices(project store.Project, want map[string]string) {
	b.Helper()
	require.Eventually(b, func() bool {
		return len(b.services(project)) == len(want) && mapsEqual(b.services(project), want)
	}, patience, poll, "%v", want)
}

func mapsEqual(a, b map[string]string) bool {
	for key, value := range b {
		if a[key] != value {
			return false
		}
	}
	return true
}

func TestEachServiceIsReportedAsItIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", withServices)
	ref := b.createWith("db", "auth", "storage")
	project := b.become(ref, store.StatusActiveHealthy)
	b.becomeServices(project, map[string]string{"db": "10.213.0.2", "auth": "10.213.0.3", "storage": "10.213.0.6"})

	b.engine.SetSick(stack.Name(string(ref), "auth"), true)
	require.Contains(t, *b.become(ref, store.StatusActiveUnhealthy).Message, "auth")
	b.becomeServices(project, map[string]string{"db": "10.213.0.2", "auth": "10.213.0.3: its health check fails", "storage": "10.213.0.6"})
	b.engine.SetSick(stack.Name(string(ref), "storage"), true)
	b.becomeServices(project, map[string]string{
		"db": "10.213.0.2", "auth": "10.213.0.3: its health check fails", "storage": "10.213.0.6: its health check fails",
	})
	b.engine.SetSick(stack.Name(string(ref), "auth"), false)
	b.engine.SetSick(stack.Name(string(ref), "storage"), false)
	b.become(ref, store.StatusActiveHealthy)

	_, err := b.store.ChangeServices(t.Context(), b.actor(), ref, []string{"db", "storage", "imgproxy"})
	require.NoError(t, err)
	b.become(ref, store.StatusActiveHealthy)
	b.becomeServices(project, map[string]string{"db": "10.213.0.2", "storage": "10.213.0.6", "imgproxy": "10.213.0.7"})
	require.NotContains(t, b.engine.Objects(), "container "+stack.Name(string(ref), "auth"))
	require.Zero(t, b.calls("RemoveVolume"))

	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	require.Empty(t, b.services(project), "nothing is to be reached")
}

func TestServicesStartWhenWhatTheyNeedIsReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", withServices)
	ref := b.createWith("db", "auth", "rest")
	b.become(ref, store.StatusActiveHealthy)
	calls := b.engine.Calls()
	at := func(call string) int {
		for i, one := range calls {
			if one == call+" "+stack.Name(string(ref), "db") || one == call {
				return i
			}
		}
		return -1
	}
	configured := at("Configure")
	require.Positive(t, configured)
	require.Greater(t, at("StartContainer "+stack.Name(string(ref), "auth")), configured)
	require.Greater(t, at("StartContainer "+stack.Name(string(ref), "rest")), configured)
}

// TestANewPasswordIsTakenUpByWhoeverGoesOn cuts the provisioner off after each call of a change of the password.
func TestANewPasswordIsTakenUpByWhoeverGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.createWith("db", "auth")
	first := b.launch("", withServices)
	b.become(ref, store.StatusActiveHealthy)
	first.stop()
	auth := stack.Name(string(ref), "auth")
	before := b.engine.Labels(auth)[stack.LabelConfigHash]
	_, err := b.store.ChangeDatabasePassword(t.Context(), b.actor(), ref, "another password")
	require.NoError(t, err)

	settled := func() bool {
		project, err := b.project(ref)
		require.NoError(t, err)
		return project.ObservedGeneration == project.Generation
	}
	for !settled() { // set the password; stop, remove, create and start auth
		var once sync.Once
		called := make(chan struct{})
		b.engine.After = func(string) { once.Do(func() { close(called) }) }
		cut := b.launch("", withServices)
		require.Eventually(t, func() bool {
			select {
			case <-called:
				return true
			default:
				return settled()
			}
		}, patience, poll)
		cut.stop()
	}
	b.engine.After = nil
	b.launch("", withServices)
	b.become(ref, store.StatusActiveHealthy)
	require.NotEqual(t, before, b.engine.Labels(auth)[stack.LabelConfigHash])
	require.Equal(t, 2, b.calls("Configure"), "once when it was made, once for the password")
	require.Equal(t, []string{"create:succeeded", "configure:succeeded"}, b.operations(ref))
	var made int
	for _, call := range b.engine.Calls() {
		if strings.HasPrefix(call, "CreateContainer ") {
			made++
		}
	}
	require.Equal(t, 3, made, "the database goes on")
}
