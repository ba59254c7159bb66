package stack

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// setting says which variable of a service a field of a project's configuration is.
type setting struct {
	field    string // as the API has it; parts of a path are separated by dots
	variable string
	convert  func(any) string // nil: plain; an empty string leaves the service's own default
}

// apply sets the variables of those fields that the section has.
func apply(env Env, section store.SectionConfig, settings []setting) {
	for _, one := range settings {
		value, set := lookUp(section, one.field)
		if !set {
			continue
		}
		convert := one.convert
		if convert == nil {
			convert = plain
		}
		if text := convert(value); text != "" {
			env[one.variable] = text
		}
	}
}

// lookUp follows a path into nested objects, as sections have them that came from JSON.
func lookUp(section store.SectionConfig, path string) (value any, found bool) {
	current := map[string]any(section)
	for {
		first, rest, nested := strings.Cut(path, ".")
		value, found = current[first]
		if !found || value == nil {
			return nil, false
		}
		if !nested {
			return value, true
		}
		if current, found = value.(map[string]any); !found {
			return nil, false
		}
		path = rest
	}
}

// plain writes a value as programs read it: numbers without an exponent.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	case json.Number:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// seconds and hours write a number as a duration of Go's. None is left out: where it is 0, GoTrue refuses to start.
func seconds(value any) string { return duration(value, "s") }
func hours(value any) string   { return duration(value, "h") }

func duration(value any, unit string) string {
	if number := plain(value); number != "0" && number != "" {
		return number + unit
	}
	return ""
}

// section is a part of the project's configuration.
func (b builder) section(name store.ConfigSection) store.SectionConfig { return b.wanted.Config[name] }
