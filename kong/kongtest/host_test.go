package kongtest_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

func TestPluginSeesOnlyTheNamedEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t), func(o *kongtest.Options) {
		o.Environment = []string{"NAMED", "ABSENT"}
		o.Lookup = func(name string) (string, bool) {
			values := map[string]string{"NAMED": "value", "SECRET": "hidden"}
			value, ok := values[name]
			return value, ok
		}
	})
	directory, err := os.Getwd()
	require.NoError(t, err)

	require.ElementsMatch(t, []any{"NAMED=value", "PWD=" + directory}, b.do(t, http.MethodGet, "/", "", "env")["env"])
}

func TestReloadStartsNewInstancesInTheSameProcess(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	before := b.do(t, http.MethodGet, "/", "", "label; pid")
	require.Equal(t, "hello", before["label"])

	require.NoError(t, b.Reload(parse(t, b, strings.ReplaceAll(oneRoute, "hello", "changed"))))
	after := b.do(t, http.MethodGet, "/", "", "label; pid")
	require.Equal(t, "changed", after["label"])
	require.Equal(t, before["pid"], after["pid"])
	require.Eventually(t, func() bool { return strings.Contains(b.logs.String(), "closed instance") }, patience, tick)

	require.Error(t, b.Reload(parse(t, b, strings.ReplaceAll(oneRoute, "number: 3", "number: three"))))
	require.Equal(t, "changed", b.do(t, http.MethodGet, "/", "", "label")["label"], "a wrong configuration changes nothing")
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	pid, ok := b.PluginPID("tester")
	require.True(t, ok)
	marker := filepath.Join(t.TempDir(), "held")
	held := b.sendLater(t, "hang:"+marker)
	waitForFile(t, marker)

	require.NoError(t, b.Close())
	require.Equal(t, http.StatusInternalServerError, held(t).StatusCode, "a request that is cut off is not proxied")
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.NoFileExists(t, filepath.Join(b.prefix, "tester.socket"))
	_, err := net.Dial("tcp", b.Addr())
	require.Error(t, err)
	_, ok = b.PluginPID("tester")
	require.False(t, ok)
}

func TestSocketThatAKilledHostLeftDoesNotMatter(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t), func(o *kongtest.Options) {
		left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(o.Prefix, "tester.socket"), Net: "unix"})
		require.NoError(t, err)
		left.SetUnlinkOnClose(false)
		// Not closed before the end: a plugin of that host that still runs must not be taken for the new one.
		t.Cleanup(func() { _ = left.Close() })
	})

	require.Equal(t, "hello", b.do(t, http.MethodGet, "/", "", "label")["label"])
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	scripts := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(scripts, name)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
		return path
	}
	dump := func(name string) string {
		return `[ "$1" = -dump ] && echo '{"Protocol":"ProtoBuf:1","Plugins":[{"Name":"` + name + `"}]}' && exit` + "\n"
	}

	tests := map[string]struct {
		plugin, path, config string
		want                 []string
	}{
		"a missing executable":    {"absent", filepath.Join(scripts, "absent"), "", []string{"plugin absent", "no such file"}},
		"one that fails":          {"failing", script("failing", "echo reason >&2; exit 3"), "", []string{"plugin failing", "exit status 3: reason"}},
		"one that prints no JSON": {"chatty", script("chatty", "echo hello"), "", []string{"plugin chatty", "read what"}},
		"another protocol":        {"js", script("js", `echo '{"Protocol":"MsgPack:1"}'`), "", []string{"plugin js", `"MsgPack:1"`}},
		"no plugin":               {"empty", script("empty", `echo '{"Protocol":"ProtoBuf:1"}'`), "", []string{"it names no plugin"}},
		"another name":            {"alias", script("alias", dump("real")), "", []string{"plugin alias", `calls itself "real"`}},
		"one that makes no socket": {
			"mute", script("mute", dump("mute")+"exec sleep 100"), "", []string{"plugin mute", "wait for the socket"},
		},
		"an unknown field": {
			"tester", pluginPath("tester"), "{labels: x, number: 1.5, list: [1], log_file: 3}",
			[]string{
				"route everything: plugin tester, line", "config.labels: unknown field", "config.number: expected integer",
				"config.list[0]: expected string", "config.log_file: expected string",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := strings.ReplaceAll(oneRoute, "${UPSTREAM}", "http://127.0.0.1:9")
			config = strings.ReplaceAll(config, "tester", test.plugin)
			if test.config != "" {
				config = strings.ReplaceAll(config, "{label: hello, number: 3}", test.config)
			} else {
				config = strings.ReplaceAll(config, "{label: hello, number: 3}", "{}")
			}
			file := filepath.Join(t.TempDir(), "kong.yml")
			require.NoError(t, os.WriteFile(file, []byte("_format_version: '3.0'\n"+config), 0o600))
			host, err := kongtest.New(kongtest.Options{
				ConfigFile: file, Plugins: map[string]string{test.plugin: test.path},
				StartTimeout: 200 * tick, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			err = host.Start(t.Context())
			for _, part := range test.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := kongtest.New(kongtest.Options{})
	require.ErrorContains(t, err, "Config or ConfigFile")
	_, err = kongtest.New(kongtest.Options{ConfigFile: "/does/not/exist"})
	require.ErrorIs(t, err, os.ErrNotExist)

	b := setup(t, oneRoute, noUpstream(t))
	_, err = kongtest.New(kongtest.Options{Config: parse(t, b, oneRoute), ProxySet: map[string]string{"x": "$request_metod"}})
	require.ErrorContains(t, err, "variable $x: unknown variable $request_metod")

	host, err := kongtest.New(kongtest.Options{
		Config: parse(t, b, oneRoute), Plugins: map[string]string{"tester": pluginPath("tester")},
		Prefix: filepath.Join(t.TempDir(), strings.Repeat("deep", 30)), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.ErrorContains(t, host.Start(t.Context()), "use a shorter prefix")
}

func TestStartStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	host, err := kongtest.New(kongtest.Options{
		ConfigFile: configFile(t), Plugins: map[string]string{"tester": pluginPath("tester")}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.ErrorIs(t, host.Start(ctx), context.Canceled)
}

func configFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kong.yml")
	config := strings.ReplaceAll(oneRoute, "${UPSTREAM}", "http://127.0.0.1:9")
	require.NoError(t, os.WriteFile(file, []byte("_format_version: '3.0'\n"+config), 0o600))
	return file
}

// Variables by which the test's own executable, started again, learns that it is the host that will be killed.
const (
	killedHostConfig = "KONGTEST_KILLED_HOST_CONFIG"
	killedHostPlugin = "KONGTEST_KILLED_HOST_PLUGIN"
)

// runKilledHost runs a host until the process is killed, and writes its plugin's process id beside the configuration.
func runKilledHost(file string) error {
	host, err := kongtest.New(kongtest.Options{
		ConfigFile: file, Plugins: map[string]string{"tester": os.Getenv(killedHostPlugin)}, Prefix: filepath.Dir(file),
	})
	if err != nil {
		return err
	}
	if err := host.Start(context.Background()); err != nil {
		return err
	}
	pid, _ := host.PluginPID("tester")
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "pid"), []byte(strconv.Itoa(pid)), 0o600); err != nil {
		return err
	}
	select {}
}

func TestPluginsEndWithTheirHost(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a child with its parent")
	}
	directory, err := os.MkdirTemp("", "killed")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	config, err := os.ReadFile(configFile(t))
	require.NoError(t, err)
	file := filepath.Join(directory, "kong.yml")
	require.NoError(t, os.WriteFile(file, config, 0o600))

	executable, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(executable)
	command.Env = append(os.Environ(), killedHostConfig+"="+file, killedHostPlugin+"="+pluginPath("tester"))
	require.NoError(t, command.Start())
	pidFile := filepath.Join(directory, "pid")
	waitForFile(t, pidFile)
	var pid int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(pidFile)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(text))
		return err == nil
	}, patience, tick)

	require.NoError(t, syscall.Kill(pid, 0), "the plugin runs")
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, patience, tick)
}
