package projectdb

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rowEncoder prints rows as JSON objects, with the values that postgres-meta gives them: numbers where JSON can hold them,
// JSON as it is, arrays as arrays, and Postgres' own text for everything else. Studio and the tools are used to that.
type rowEncoder struct {
	names   [][]byte // with quotes and colon
	columns []int    // where each name's value is: of two columns with one name, the last one counts
	kinds   []kind
	types   *pgtype.Map
}

// kind is how a value is printed.
type kind int

const (
	text kind = iota
	number
	bigNumber // a number where a JavaScript program can hold it exactly, else text
	boolean
	document
	binary
)

var kinds = map[uint32]kind{
	pgtype.Int2OID: number, pgtype.Int4OID: number, pgtype.OIDOID: number, pgtype.Float4OID: number, pgtype.Float8OID: number,
	pgtype.Int8OID: bigNumber, pgtype.BoolOID: boolean, pgtype.JSONOID: document, pgtype.JSONBOID: document, pgtype.ByteaOID: binary,
}

func newRowEncoder(fields []pgconn.FieldDescription) *rowEncoder {
	e := &rowEncoder{types: pgtype.NewMap()}
	seen := map[string]int{}
	for i, field := range fields {
		if at, again := seen[field.Name]; again {
			e.columns[at], e.kinds[at] = i, kinds[field.DataTypeOID]
			continue
		}
		seen[field.Name] = len(e.names)
		name, _ := json.Marshal(field.Name) // a string always encodes
		e.names = append(e.names, append(name, ':'))
		e.columns = append(e.columns, i)
		e.kinds = append(e.kinds, kinds[field.DataTypeOID])
	}
	e.arrays(fields)
	return e
}

// arrayOf marks a kind as that of an array's elements.
const arrayOf kind = 1 << 8

func (e *rowEncoder) arrays(fields []pgconn.FieldDescription) {
	for i, column := range e.columns {
		found, known := e.types.TypeForOID(fields[column].DataTypeOID)
		if !known {
			continue
		}
		if codec, ok := found.Codec.(*pgtype.ArrayCodec); ok && codec.ElementType.OID != pgtype.BoxOID { // boxes are not separated by commas
			e.kinds[i] = arrayOf | kinds[codec.ElementType.OID]
		}
	}
}

func (e *rowEncoder) appendRow(out []byte, values [][]byte) []byte {
	out = append(out, '{')
	for i, name := range e.names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, name...)
		out = e.appendValue(out, e.kinds[i], values[e.columns[i]])
	}
	return append(out, '}')
}

func (e *rowEncoder) appendValue(out []byte, as kind, value []byte) []byte {
	if value == nil {
		return append(out, "null"...)
	}
	if as&arrayOf != 0 {
		return e.appendArray(out, as&^arrayOf, value)
	}
	switch as {
	case number:
		return appendNumber(out, value)
	case bigNumber:
		if parsed, err := strconv.ParseInt(string(value), 10, 64); err == nil && parsed >= -maxSafeInteger && parsed <= maxSafeInteger {
			return append(out, value...)
		}
	case boolean:
		return strconv.AppendBool(out, string(value) == "t")
	case document:
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			return append(out, compact.Bytes()...)
		}
	case binary:
		return appendBinary(out, value)
	case text:
	}
	return appendText(out, value)
}

// maxSafeInteger is JavaScript's Number.MAX_SAFE_INTEGER.
const maxSafeInteger = 1<<53 - 1

// appendNumber prints NaN and the infinities as null: JSON has no word for them.
func appendNumber(out, value []byte) []byte {
	parsed, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsNaN(parsed) || math.IsInf(parsed, 0) {
		return append(out, "null"...)
	}
	return append(out, value...)
}

// appendBinary prints bytes as Node.js does a Buffer.
func appendBinary(out, value []byte) []byte {
	raw, err := hex.DecodeString(strings.TrimPrefix(string(value), `\x`))
	if err != nil {
		return appendText(out, value)
	}
	out = append(out, `{"type":"Buffer","data":[`...)
	for i, b := range raw {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(b), 10)
	}
	return append(out, "]}"...)
}

func appendText(out, value []byte) []byte {
	quoted, _ := json.Marshal(string(value)) // a string always encodes
	return append(out, quoted...)
}

// appendArray prints an array of any dimensions. What cannot be read as one stays Postgres' own text.
func (e *rowEncoder) appendArray(out []byte, of kind, value []byte) []byte {
	var array pgtype.Array[pgtype.Text]
	if err := e.types.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, value, &array); err != nil {
		return appendText(out, value)
	}
	if len(array.Elements) == 0 {
		return append(out, "[]"...)
	}
	out, _ = e.appendDimension(out, of, array.Dims, array.Elements)
	return out
}

func (e *rowEncoder) appendDimension(out []byte, of kind, dimensions []pgtype.ArrayDimension, elements []pgtype.Text) ([]byte, []pgtype.Text) {
	out = append(out, '[')
	for i := range dimensions[0].Length {
		if i > 0 {
			out = append(out, ',')
		}
		if len(dimensions) > 1 {
			out, elements = e.appendDimension(out, of, dimensions[1:], elements)
			continue
		}
		var value []byte
		if elements[0].Valid {
			value = []byte(elements[0].String)
		}
		out, elements = e.appendValue(out, of, value), elements[1:]
	}
	return append(out, ']'), elements
}

// parameterText is what a JSON value stands for in Postgres' text form; nil is null.
func parameterText(value any) []byte {
	switch value := value.(type) {
	case nil:
		return nil
	case string:
		return []byte(value)
	case bool:
		return strconv.AppendBool(nil, value)
	case []any:
		return []byte(arrayText(value))
	default:
		encoded, _ := json.Marshal(value) // it came from JSON
		return encoded
	}
}

// arrayText is an array in Postgres' text form, every element quoted.
func arrayText(values []any) string {
	elements := make([]string, len(values))
	for i, value := range values {
		switch value := value.(type) {
		case nil:
			elements[i] = "NULL"
		case []any:
			elements[i] = arrayText(value)
		default:
			elements[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(parameterText(value))) + `"`
		}
	}
	return "{" + strings.Join(elements, ",") + "}"
}
