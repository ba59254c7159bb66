package kongtest

import (
	"fmt"
	"math"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Answers are encoded by hand where they may hold bytes that are no UTF-8: Kong's Lua sends such a string as it is, while
// Go's encoder refuses it. The numbers are those of the fields in pluginsocket.proto and in Google's struct.proto.

// encodeText encodes a String or a ByteString, which are the same on the wire.
func encodeText(value string) []byte {
	if value == "" {
		return nil
	}
	return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), value)
}

// encodeInteger encodes an Int that is not negative.
func encodeInteger(value int) []byte {
	//nolint:gosec // ports and statuses
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(value))
}

func encodeNumber(value float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(value))
}

func encodeMessage(m proto.Message) ([]byte, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return data, nil
}

// pair is one name and value of headers or of a query. flag is a query argument without a "=".
type pair struct {
	name, value string
	flag        bool
}

// encodePairs encodes pairs as a Struct: one value stands for itself, several of one name are a list. Lua has true for a
// flag.
func encodePairs(pairs []pair) []byte {
	var names []string
	values := map[string][][]byte{}
	for _, p := range pairs {
		if _, ok := values[p.name]; !ok {
			names = append(names, p.name)
		}
		values[p.name] = append(values[p.name], encodeValue(p))
	}
	var out []byte
	for _, name := range names {
		value := values[name][0]
		if len(values[name]) > 1 {
			value = encodeList(values[name])
		}
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
		entry = appendBytes(entry, 2, value)
		out = appendBytes(out, 1, entry)
	}
	return out
}

func encodeValue(p pair) []byte {
	if p.flag {
		return protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 1)
	}
	return protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), p.value)
}

func encodeList(values [][]byte) []byte {
	var list []byte
	for _, value := range values {
		list = appendBytes(list, 1, value)
	}
	return appendBytes(nil, 6, list)
}

func appendBytes(out []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, field, protowire.BytesType), value)
}

// headersOf reads the headers that a plugin gives. A value is a text or a list of texts; an empty one becomes a space, as
// Kong does (normalize_multi_header).
func headersOf(given *structpb.Struct) (map[string][]string, error) {
	headers := map[string][]string{}
	for name, value := range given.GetFields() {
		values := []*structpb.Value{value}
		if list := value.GetListValue(); list != nil {
			values = list.Values
		}
		for _, v := range values {
			text, err := headerText(v)
			if err != nil {
				return nil, fmt.Errorf("invalid header value for %q: %w", name, err)
			}
			headers[name] = append(headers[name], text)
		}
	}
	return headers, nil
}

func headerText(value *structpb.Value) (string, error) {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		if kind.StringValue == "" {
			return " ", nil
		}
		return kind.StringValue, nil
	case *structpb.Value_NumberValue, *structpb.Value_BoolValue:
		return luaText(value), nil
	default:
		return "", fmt.Errorf("got %s", luaText(value))
	}
}

// headerOf reads the one header that a plugin gives.
func headerOf(given *kong_plugin_protocol.KV) (string, error) {
	value, err := headerText(given.V)
	if err != nil {
		return "", fmt.Errorf("invalid header value for %q: %w", given.K, err)
	}
	return value, nil
}

// luaText is what Lua's tostring makes of a value.
func luaText(value *structpb.Value) string {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return kind.StringValue
	case *structpb.Value_NumberValue:
		return fmt.Sprintf("%.14g", kind.NumberValue)
	case *structpb.Value_BoolValue:
		return fmt.Sprint(kind.BoolValue)
	case *structpb.Value_ListValue, *structpb.Value_StructValue:
		return "table"
	default:
		return "nil"
	}
}
