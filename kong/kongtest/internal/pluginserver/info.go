package pluginserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// queryTimeout is how long a plugin may take to print its schema. It touches neither network nor disk for that.
const queryTimeout = 10 * time.Second

// protocol is what go-pdk speaks. Kong also knows MsgPack:1, for JavaScript and Python.
const protocol = "ProtoBuf:1"

// Info is what a plugin says of itself.
type Info struct {
	Name     string
	Version  string
	Priority int
	Phases   []string // "access", "log" and so on.
	Schema   Schema
}

// dump is what "<executable> -dump" prints.
type dump struct {
	Protocol string
	Plugins  []struct {
		Name     string
		Version  string
		Priority int
		Phases   []string
		Schema   struct {
			Fields []map[string]Schema `json:"fields"`
		}
	}
}

// Query runs "<executable> -dump", as Kong does when it starts.
func Query(ctx context.Context, executable string, environment []string) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()

	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, executable, "-dump")
	command.Env = environment
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Info{}, fmt.Errorf("run %s -dump: %w%s", executable, err, lastLine(stderr.Bytes()))
	}

	info, err := readDump(stdout.Bytes())
	if err != nil {
		return Info{}, fmt.Errorf("read what %s -dump printed: %w", executable, err)
	}
	return info, nil
}

func readDump(data []byte) (Info, error) {
	var d dump
	if err := json.Unmarshal(data, &d); err != nil {
		return Info{}, err
	}
	if d.Protocol != protocol {
		return Info{}, fmt.Errorf("the protocol is %q, not %q", d.Protocol, protocol)
	}
	if len(d.Plugins) == 0 {
		return Info{}, errors.New("it names no plugin")
	}
	// Kong reads the first one only.
	first := d.Plugins[0]
	info := Info{
		Name: first.Name, Version: first.Version, Priority: first.Priority, Phases: first.Phases,
		Schema: Schema{Type: "record"},
	}
	for _, field := range first.Schema.Fields {
		if config, ok := field["config"]; ok {
			info.Schema = config
		}
	}
	return info, nil
}

func lastLine(output []byte) string {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	if last := lines[len(lines)-1]; len(last) > 0 {
		return ": " + string(last)
	}
	return ""
}
