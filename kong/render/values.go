package render

import (
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// fields says, for every key that a mapping may have, what to do with its value.
type fields map[string]func(value *yaml.Node)

// ignore is for what is only a note, or steers Kong's own loading.
func ignore(*yaml.Node) {}

// mapping calls a field's function for each key. Keys without one go to rest, or are refused when there is none: a key
// that is silently left out may be the one that closes a door.
func (d *decoder) mapping(node *yaml.Node, what string, known fields, rest func(key string, value *yaml.Node)) {
	node = follow(node)
	if node.Kind != yaml.MappingNode {
		d.add(node.Line, "%s must be a mapping", what)
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := known[key.Value]
		switch {
		case ok:
			field(value)
		case key.Tag == "!!merge":
			d.add(key.Line, "%s can not be merged with \"<<\"", what)
		case key.Value == "tags" || key.Value == "_comment":
			// Kong lets everything have tags; upstream's file has comments as values.
		case rest != nil:
			rest(key.Value, value)
		default:
			d.add(key.Line, "%s has no field %q here", what, key.Value)
		}
	}
}

// refuse is for fields that Kong knows but this package does not.
func (d *decoder) refuse(advice string) func(*yaml.Node) {
	return func(node *yaml.Node) { d.add(node.Line, "%s", advice) }
}

func listInto[T any](d *decoder, into *[]T, item func(*yaml.Node) T) func(*yaml.Node) {
	return func(node *yaml.Node) {
		node = follow(node)
		if isNull(node) {
			return
		}
		if node.Kind != yaml.SequenceNode {
			d.add(node.Line, "here must be a list")
			return
		}
		for _, child := range node.Content {
			*into = append(*into, item(follow(child)))
		}
	}
}

func (d *decoder) textInto(into *string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		node = follow(node)
		if node.Kind != yaml.ScalarNode || isNull(node) {
			d.add(node.Line, "here must be a text")
			return
		}
		*into = node.Value
	}
}

func (d *decoder) textsInto(into *[]string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		*into = nil
		listInto(d, into, func(child *yaml.Node) (text string) {
			d.textInto(&text)(child)
			return text
		})(node)
	}
}

func (d *decoder) booleanInto(into *bool) func(*yaml.Node) {
	return func(node *yaml.Node) {
		node = follow(node)
		if node.Kind != yaml.ScalarNode || (node.Value != "true" && node.Value != "false") {
			d.add(node.Line, "here must be true or false")
			return
		}
		*into = node.Value == "true"
	}
}

// integerInto reads digits, also from a variable, which is always text.
func (d *decoder) integerInto(into *int, low, high int) func(*yaml.Node) {
	return func(node *yaml.Node) {
		node = follow(node)
		value, err := strconv.Atoi(node.Value)
		if node.Kind != yaml.ScalarNode || err != nil || value < low || value > high {
			d.add(node.Line, "here must be a whole number from %d to %d", low, high)
			return
		}
		*into = value
	}
}

// millisecondsInto reads a timeout: Kong gives them in milliseconds, from 1 to 2^31-2 (nonzero_timeout in services.lua).
func (d *decoder) millisecondsInto(into *time.Duration) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value := int(*into / time.Millisecond)
		d.integerInto(&value, 1, math.MaxInt32-1)(node)
		*into = time.Duration(value) * time.Millisecond
	}
}

// object reads a mapping whose keys are not known here.
func (d *decoder) object(node *yaml.Node) map[string]any {
	if isNull(follow(node)) {
		return map[string]any{}
	}
	object, ok := d.anything(node).(map[string]any)
	if !ok {
		d.add(node.Line, "here must be a mapping from texts")
		return map[string]any{}
	}
	return object
}

func (d *decoder) anything(node *yaml.Node) any {
	var value any
	if err := node.Decode(&value); err != nil {
		d.addYAML(err)
	}
	return value
}

// follow goes from an alias to what it stands for.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}
