// Package instance reads what an operator says of an installation, in one YAML file: what Studio shows of it and leaves out, and
// which of Studio's regions lead to which deployment target. docs/operate.md says what may stand in it, and what else decides.
package instance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Instance is what an installation offers.
type Instance struct {
	// Plan is the name of the one plan that every organization has.
	Plan string
	// DisabledFeatures are what Studio leaves out for everybody, by its own names.
	DisabledFeatures []string
	// Welcome is what everybody is told when they first belong to an organization; empty: nothing.
	Welcome string
	// Feedback is the e-mail address that what people write in Studio goes to; empty: it is refused.
	Feedback string
	// Regions are the deployment targets with what they are called; others go by their own names.
	Regions []Region
}

// Region is a deployment target as users choose it.
type Region struct {
	Target   string
	Name     string // `Basement`
	Code     string // the one of Studio's regions that leads to it; empty: none does
	Projects int    // how many projects may run on it at once; 0: as many as it can carry
}

// Default is what an installation offers whose operator says nothing.
func Default() Instance { return Instance{Plan: "Self-hosted"} }

// RegionOf returns what a deployment target is called.
func (i Instance) RegionOf(target string) Region {
	for _, region := range i.Regions {
		if region.Target == target {
			return region
		}
	}
	return Region{Target: target, Name: target}
}

// Load reads the file at path; without one, everything is as by default. What is wrong with it is said with its line.
func Load(path string) (Instance, error) {
	if path == "" {
		return Default(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Instance{}, fmt.Errorf("PLURABASE_INSTANCE_FILE: %w", err)
	}
	read, err := parse(text)
	if err != nil {
		return Instance{}, fmt.Errorf("PLURABASE_INSTANCE_FILE: %s: %w", path, err)
	}
	return read, nil
}

// file is what the file holds, with the lines that it stands on.
type file struct {
	Plan             line   `yaml:"plan"`
	DisabledFeatures []line `yaml:"disabled_features"`
	Welcome          line   `yaml:"welcome"`
	Feedback         line   `yaml:"feedback"`
	Regions          []struct {
		Target   line `yaml:"target"`
		Name     line `yaml:"name"`
		Code     line `yaml:"code"`
		Projects int  `yaml:"projects"`
	} `yaml:"regions"`
}

// line is a text and where it stands.
type line struct {
	text   string
	number int
}

// UnmarshalYAML notes where the text stands.
func (l *line) UnmarshalYAML(node *yaml.Node) error {
	l.number = node.Line
	if err := node.Decode(&l.text); err != nil {
		return fmt.Errorf("line %d: a text has to stand here", node.Line)
	}
	return nil
}

// wrong says what is wrong with a text.
func (l line) wrong(format string, arguments ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{l.number}, arguments...)...)
}

func parse(text []byte) (Instance, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var said file
	if err := decoder.Decode(&said); err != nil && !errors.Is(err, io.EOF) {
		return Instance{}, plain(err)
	}
	made := Default()
	err := errors.Join(said.takePlan(&made), said.takeFeatures(&made), said.takeWelcome(&made), said.takeFeedback(&made), said.takeRegions(&made))
	return made, err
}

// plain takes YAML's own words for Go's types out of an error: they say nothing to who wrote the file.
func plain(err error) error {
	var mistyped *yaml.TypeError
	if !errors.As(err, &mistyped) {
		return err
	}
	told := make([]error, len(mistyped.Errors))
	for i, one := range mistyped.Errors {
		one, _, _ = strings.Cut(one, " in type ")
		one, _, _ = strings.Cut(one, " into ")
		told[i] = errors.New(one)
	}
	return errors.Join(told...)
}

// The longest texts, in runes: what Studio shows of them in one place.
const (
	maxName    = 64
	maxWelcome = 500
)

func (f file) takePlan(made *Instance) error {
	if f.Plan.text == "" {
		return nil
	}
	made.Plan = f.Plan.text
	return checkName("plan", f.Plan)
}

func checkName(what string, name line) error {
	if utf8.RuneCountInString(name.text) > maxName || strings.ContainsFunc(name.text, unicode.IsControl) {
		return name.wrong("%s has to be one line of at most %d letters", what, maxName)
	}
	return nil
}

func (f file) takeFeatures(made *Instance) error {
	var wrong []error
	for i, feature := range f.DisabledFeatures {
		kind, _, _ := strings.Cut(feature.text, ":")
		switch {
		case slices.Contains(made.DisabledFeatures, feature.text):
			wrong = append(wrong, feature.wrong("disabled_features names %q twice", feature.text))
		case kind == "dashboard_auth":
			wrong = append(wrong, feature.wrong("Studio's sign-in page knows nobody yet whose features it could ask for: leave %q out when Studio is built (STUDIO_DISABLED_FEATURES)", feature.text))
		case !slices.Contains(features, feature.text):
			wrong = append(wrong, feature.wrong("Studio has no feature %q", feature.text))
		}
		made.DisabledFeatures = append(made.DisabledFeatures, f.DisabledFeatures[i].text)
	}
	return errors.Join(wrong...)
}

func (f file) takeWelcome(made *Instance) error {
	made.Welcome = strings.TrimSpace(f.Welcome.text)
	if utf8.RuneCountInString(made.Welcome) > maxWelcome {
		return f.Welcome.wrong("welcome has to have at most %d letters", maxWelcome)
	}
	return nil
}

func (f file) takeFeedback(made *Instance) error {
	made.Feedback = f.Feedback.text
	if made.Feedback == "" {
		return nil
	}
	if address, err := mail.ParseAddress(made.Feedback); err != nil || address.Address != made.Feedback {
		return f.Feedback.wrong("feedback has to be an e-mail address")
	}
	return nil
}

func (f file) takeRegions(made *Instance) error {
	var wrong []error
	taken := map[string]bool{} // what a client may send for a region, in small letters
	take := func(what string, l line) {
		if name := strings.ToLower(l.text); name != "" && taken[name] {
			wrong = append(wrong, l.wrong("%s %q is another region's already", what, l.text))
		} else {
			taken[name] = true
		}
	}
	for _, one := range f.Regions {
		if one.Target.text == "" {
			return errors.New("regions: each needs a target, the PLURABASE_TARGET of a provisioner")
		}
		region := Region{Target: one.Target.text, Name: one.Name.text, Code: one.Code.text, Projects: one.Projects}
		take("target", one.Target)
		if region.Name == "" {
			region.Name = region.Target
		} else if !strings.EqualFold(region.Name, region.Target) {
			take("name", one.Name)
		}
		take("code", one.Code)
		wrong = append(wrong, checkName("target", one.Target), checkName("name", one.Name))
		if region.Code != "" && !IsCode(region.Code) {
			wrong = append(wrong, one.Code.wrong("Studio has no region %q: there are %s", region.Code, strings.Join(Codes(), ", ")))
		}
		if region.Projects < 0 {
			wrong = append(wrong, one.Target.wrong("the number of projects of %q has to be 0 (no limit) or more", region.Target))
		}
		made.Regions = append(made.Regions, region)
	}
	return errors.Join(wrong...)
}
