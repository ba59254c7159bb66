// Package logquery answers the queries that Studio's log pages, the MCP server and the supabase CLI make, over lines of logs that
// are at hand. It knows as much of SQL as they use, Studio in BigQuery's dialect and the others in ClickHouse's: one table,
// conditions, counts by groups, an order and a limit. What it cannot read it refuses, by name.
package logquery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row is one line of a log: id, timestamp, event_message and identifier, and whatever else was read out of it. A value is a
// string, a float64, a bool or nil; the timestamp is microseconds since 1970, as upstream has it. A name is the last part of
// upstream's path to it (`level` of `metadata.level`), or its last two where one alone would say two things.
type Row map[string]any

// Query is a query that was read.
type Query struct {
	// Table is where from.
	Table  string
	items  []item
	where  expression
	groups []string
	orders []order
	limit  int
}

type order struct {
	by      string
	falling bool
}

type item struct {
	name string
	expression
}

// expression has a value for a row.
type expression interface{ of(Row) any }

// maxRows is what a query answers at most.
const maxRows = 1000

// Run answers the query over rows.
func (q Query) Run(rows []Row) []map[string]any {
	var found []Row
	for _, row := range rows {
		if q.where == nil || isTrue(q.where.of(row)) {
			found = append(found, row)
		}
	}
	var result []map[string]any
	if q.counts() {
		result = q.count(found)
	} else {
		result = q.list(found)
	}
	slices.SortStableFunc(result, func(a, b map[string]any) int {
		for _, one := range q.orders {
			if c := compare(a[one.by], b[one.by]); c != 0 && one.falling {
				return -c
			} else if c != 0 {
				return c
			}
		}
		return 0
	})
	return result[:min(len(result), q.limit)]
}

func (q Query) list(rows []Row) []map[string]any {
	result := make([]map[string]any, len(rows))
	for i, row := range rows {
		result[i] = map[string]any{}
		for _, one := range q.items {
			result[i][one.name] = one.of(row)
		}
	}
	return result
}

// counts tells whether the query sums rows up in place of listing them.
func (q Query) counts() bool {
	return slices.ContainsFunc(q.items, func(i item) bool { return sums(i.expression) })
}

// sums tells whether an expression has one value for many rows.
func sums(e expression) bool {
	if outer, is := e.(call); is {
		return slices.ContainsFunc(outer.with, sums)
	}
	_, is := e.(aggregate)
	return is
}

// over is an expression's value for the rows of a group.
func over(e expression, rows []Row) any {
	switch one := e.(type) {
	case aggregate:
		return one.in(rows)
	case call:
		values := make([]any, len(one.with))
		for i, inner := range one.with {
			values[i] = over(inner, rows)
		}
		return one.do(values)
	}
	if len(rows) == 0 {
		return nil
	}
	return e.of(rows[0])
}

// count counts rows by groups; without any, all are one.
func (q Query) count(rows []Row) []map[string]any {
	var keys []string
	grouped := map[string][]Row{}
	for _, row := range rows {
		var key strings.Builder
		for _, one := range q.items {
			if slices.Contains(q.groups, one.name) {
				fmt.Fprintf(&key, "%v\x00", one.of(row))
			}
		}
		if _, known := grouped[key.String()]; !known {
			keys = append(keys, key.String())
		}
		grouped[key.String()] = append(grouped[key.String()], row)
	}
	if len(q.groups) == 0 && len(keys) == 0 {
		keys = []string{""}
	}
	result := []map[string]any{}
	for _, key := range keys {
		line := map[string]any{}
		for _, one := range q.items {
			line[one.name] = over(one.expression, grouped[key])
		}
		result = append(result, line)
	}
	return result
}

// The expressions.
type (
	literal struct{ value any }
	column  struct{ name, path string } // the last part, and the last two
	either  struct{ left, right expression }
	both    struct{ left, right expression }
	not     struct{ inner expression }
	counted struct { // rows where it has a value
		what     expression // nil: all rows
		distinct bool       // its different values
	}
	largest struct{ what expression }
	total   struct {
		what    expression
		average bool
	}
	call struct {
		do   func([]any) any
		with []expression
	}
	when struct{ condition, then, otherwise expression }
)

func (l literal) of(Row) any { return l.value }

func (c column) of(row Row) any {
	if value, known := row[c.path]; known {
		return value
	}
	return row[c.name]
}

func (e either) of(row Row) any { return isTrue(e.left.of(row)) || isTrue(e.right.of(row)) }
func (b both) of(row Row) any   { return isTrue(b.left.of(row)) && isTrue(b.right.of(row)) }
func (counted) of(Row) any      { return nil } // it is of many rows: in
func (largest) of(Row) any      { return nil } // likewise
func (total) of(Row) any        { return nil } // likewise

// of is unknown where the inner one is, as in SQL.
func (n not) of(row Row) any {
	value := n.inner.of(row)
	if value == nil {
		return nil
	}
	return !isTrue(value)
}

// aggregate has a value for many rows.
type aggregate interface{ in(rows []Row) any }

func (l largest) in(rows []Row) any {
	var most any
	for _, row := range rows {
		if value := l.what.of(row); value != nil && (most == nil || compare(value, most) > 0) {
			most = value
		}
	}
	return most
}

func (c counted) in(rows []Row) any {
	n := 0
	seen := map[string]bool{}
	for _, row := range rows {
		if c.what == nil {
			n++
		} else if value := c.what.of(row); value != nil && (!c.distinct || !seen[textOf(value)]) {
			n++
			seen[textOf(value)] = c.distinct
		}
	}
	return float64(n)
}

func (t total) in(rows []Row) any {
	sum, n := 0., 0
	for _, row := range rows {
		if value, is := t.what.of(row).(float64); is {
			sum += value
			n++
		}
	}
	switch {
	case n == 0:
		return nil
	case t.average:
		return sum / float64(n)
	}
	return sum
}

func (c call) of(row Row) any {
	values := make([]any, len(c.with))
	for i, one := range c.with {
		values[i] = one.of(row)
	}
	return c.do(values)
}

func (w when) of(row Row) any {
	if isTrue(w.condition.of(row)) {
		return w.then.of(row)
	}
	if w.otherwise == nil {
		return nil
	}
	return w.otherwise.of(row)
}

func isTrue(value any) bool { is, _ := value.(bool); return is }

// compare orders numbers by what they are, and everything else by its text. A time is compared with a timestamp.
func compare(a, b any) int {
	if x, y, ok := numbers(a, b); ok {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(textOf(a), textOf(b))
}

func numbers(a, b any) (x, y float64, ok bool) {
	x, isA := a.(float64)
	y, isB := b.(float64)
	switch {
	case isA && !isB:
		y, isB = moment(b)
	case isB && !isA:
		x, isA = moment(a)
	}
	return x, y, isA && isB
}

// moment is the timestamp of a time by RFC 3339.
func moment(value any) (float64, bool) {
	text, is := value.(string)
	at, err := time.Parse(time.RFC3339, text)
	return float64(at.UnixMicro()), is && err == nil
}

func textOf(value any) string {
	if value == nil {
		return ""
	}
	if text, is := value.(string); is {
		return text
	}
	return fmt.Sprint(value)
}
