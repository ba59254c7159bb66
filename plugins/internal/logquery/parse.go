package logquery

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuery is far above what Studio sends.
const maxQuery = 20_000

// tokens are words, numbers, texts in quotes, and signs. Comments and space fall between them.
var tokens = regexp.MustCompile("(?s)--[^\n]*|/\\*.*?\\*/|'(?:[^'\\\\]|''|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|" +
	"[A-Za-z_][A-Za-z0-9_]*(?:\\.(?:[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z_][A-Za-z0-9_]*`))*|" +
	`[0-9]+(?:\.[0-9]+)?|<=|>=|!=|<>|::|[-+*/%=<>(),;.\[\]]|\s+|.`)

type parser struct {
	rest []string
}

// unreadable ends the parse: Parse returns it.
type unreadable struct{ at string }

func (u unreadable) Error() string {
	if u.at == "" {
		return "the query ends too early"
	}
	return fmt.Sprintf("this platform's logs cannot be asked for %.60q: it reads the queries of Studio's log pages, the MCP server and the supabase CLI", u.at)
}

// Parse reads a query. Its error is written for whoever wrote the query.
func Parse(sql string) (q Query, err error) {
	if len(sql) > maxQuery {
		return Query{}, unreadable{sql}
	}
	p := &parser{}
	for _, token := range tokens.FindAllString(sql, -1) {
		if strings.TrimSpace(token) != "" && !strings.HasPrefix(token, "--") && !strings.HasPrefix(token, "/*") && token != ";" {
			p.rest = append(p.rest, token)
		}
	}
	defer func() {
		cause := recover()
		refused, is := cause.(unreadable)
		if cause != nil && !is {
			panic(cause)
		}
		if is {
			q, err = Query{}, refused
		}
	}()
	return p.query(), nil
}

// Table is the table that a query is about, whether or not the rest of it can be read; empty where it names none.
func Table(sql string) string {
	if found := fromTable.FindStringSubmatch(sql); found != nil {
		return strings.ToLower(found[1])
	}
	return ""
}

var fromTable = regexp.MustCompile("(?i)\\bfrom\\s+`?([a-z_]+)`?")

func (p *parser) query() Query {
	q := Query{limit: maxRows}
	p.expect("select")
	for !p.is("from") {
		q.items = append(q.items, p.item())
		p.take(",")
	}
	p.expect("from")
	q.Table = strings.ToLower(strings.Trim(p.next(), "`"))
	p.joins()
	if p.take("where") {
		q.where = p.or()
	}
	if p.take("group") {
		p.expect("by")
		q.groups = p.names()
	}
	if p.take("order") {
		p.expect("by")
		q.orders = p.orders()
	}
	if p.take("limit") {
		limit, err := strconv.Atoi(p.next())
		if err != nil || limit < 0 {
			p.fail()
		}
		q.limit = min(limit, maxRows)
	}
	if len(p.rest) > 0 || len(q.items) == 0 {
		p.fail()
	}
	return q
}

// joins passes over what brings nested fields up: rows have them at hand by their own names.
func (p *parser) joins() {
	p.alias()
	for p.is("cross") || p.is("left") || p.is("inner") || p.is("join") {
		for !p.take("join") {
			p.next()
		}
		p.expect("unnest")
		p.expect("(")
		p.next()
		p.expect(")")
		p.alias()
		if p.take("on") {
			p.expect("true")
		}
	}
}

// alias passes over another name.
func (p *parser) alias() {
	if p.take("as") {
		p.next()
		return
	}
	if len(p.rest) > 0 && wordLike.MatchString(p.rest[0]) && !slices.Contains(clauses, strings.ToLower(p.rest[0])) {
		p.next()
	}
}

var (
	wordLike = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	clauses  = []string{"cross", "left", "inner", "join", "on", "where", "group", "order", "limit", "from"}
)

func (p *parser) item() item {
	first := ""
	if len(p.rest) > 0 {
		first = p.rest[0]
	}
	one := item{expression: p.or(), name: lastPart(first)}
	if p.take("as") {
		one.name = strings.Trim(p.next(), "`\"")
	}
	return one
}

func (p *parser) names() []string {
	names := []string{lastPart(p.next())}
	for p.take(",") {
		names = append(names, lastPart(p.next()))
	}
	return names
}

func (p *parser) orders() []order {
	var orders []order
	for {
		one := order{by: lastPart(p.next())}
		one.falling = p.take("desc")
		if !one.falling {
			p.take("asc")
		}
		orders = append(orders, one)
		if !p.take(",") {
			return orders
		}
	}
}

// lastPart is `level` of `metadata.level`.
func lastPart(path string) string {
	path = strings.ReplaceAll(path, "`", "")
	return path[strings.LastIndexByte(path, '.')+1:]
}

func (p *parser) or() expression {
	left := p.and()
	for p.take("or") {
		left = either{left, p.and()}
	}
	return left
}

func (p *parser) and() expression {
	left := p.not()
	for p.take("and") {
		left = both{left, p.not()}
	}
	return left
}

func (p *parser) not() expression {
	if p.take("not") {
		return not{p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expression {
	left := p.operand()
	if p.take("is") {
		negated := p.take("not")
		p.expect("null")
		return call{func(v []any) any { return (v[0] == nil) != negated }, []expression{left}}
	}
	negated := p.take("not")
	var found expression
	switch {
	case p.take("in"):
		found = known(func(v []any) any {
			return slices.ContainsFunc(v[1:], func(one any) bool { return compare(v[0], one) == 0 })
		}, append([]expression{left}, p.list()...))
	case p.take("like"):
		token := p.next()
		if !isText(token) {
			p.failAt(token)
		}
		pattern, err := likePattern(unquote(token))
		if err != nil {
			p.failAt(token)
		}
		found = known(func(v []any) any { return pattern.MatchString(textOf(v[0])) }, []expression{left})
	case p.take("between"):
		low := p.operand()
		p.expect("and")
		found = known(func(v []any) any { return compare(v[0], v[1]) >= 0 && compare(v[0], v[2]) <= 0 }, []expression{left, low, p.operand()})
	case negated:
		p.fail()
	default:
		return p.operator(left)
	}
	if negated {
		return not{found}
	}
	return found
}

var operators = map[string]func(int) bool{
	"=": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 }, "<>": func(c int) bool { return c != 0 },
	"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
	">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
}

func (p *parser) operator(left expression) expression {
	for sign, holds := range operators {
		if p.take(sign) {
			return known(func(v []any) any { return holds(compare(v[0], v[1])) }, []expression{left, p.operand()})
		}
	}
	return left
}

// known is a call that has no value where one of what it is given has none, as in SQL.
func known(do func([]any) any, with []expression) expression {
	return call{func(values []any) any {
		if slices.Contains(values, nil) {
			return nil
		}
		return do(values)
	}, with}
}

// likePattern is the regular expression of a pattern with % and _. What isn't UTF-8 has none.
func likePattern(pattern string) (*regexp.Regexp, error) {
	quoted := regexp.QuoteMeta(pattern)
	return regexp.Compile("(?s)^" + strings.NewReplacer("%", ".*", "_", ".").Replace(quoted) + "$")
}

func (p *parser) list() []expression {
	p.expect("(")
	all := []expression{p.operand()}
	for p.take(",") {
		all = append(all, p.operand())
	}
	p.expect(")")
	return all
}

func (p *parser) operand() expression {
	value := p.plainOperand()
	for p.take("::") { // a cast
		p.next()
	}
	return value
}

func (p *parser) plainOperand() expression {
	token := p.next()
	switch lower := strings.ToLower(token); {
	case token == "(":
		inner := p.or()
		p.expect(")")
		return inner
	case isText(token):
		return literal{unquote(token)}
	case token[0] >= '0' && token[0] <= '9':
		number, err := strconv.ParseFloat(token, 64)
		if err != nil {
			p.failAt(token)
		}
		return literal{number}
	case lower == "true" || lower == "false":
		return literal{lower == "true"}
	case lower == "null":
		return literal{nil}
	case lower == "case":
		return p.caseWhen()
	case p.take("("):
		return p.function(lower)
	case lower == attributes && p.take("["):
		return p.attribute()
	case wordLike.MatchString(lastPart(token)):
		return columnOf(p.path(token))
	}
	p.failAt(token)
	return nil
}

// path reads on where a path goes through the first of several: `metadata[SAFE_OFFSET(0)].request[SAFE_OFFSET(0)].method`.
func (p *parser) path(token string) string {
	for p.take("[") {
		if !p.take("safe_offset") {
			p.expect("offset")
		}
		p.expect("(")
		p.expect("0")
		p.expect(")")
		p.expect("]")
		if p.take(".") {
			token += "." + p.next()
		}
	}
	return token
}

func columnOf(path string) column {
	parts := strings.Split(strings.ReplaceAll(path, "`", ""), ".")
	return column{parts[len(parts)-1], strings.Join(parts[max(0, len(parts)-2):], ".")}
}

// attributes is ClickHouse's column for what was read out of a line: `log_attributes['parsed.error_severity']`.
const attributes = "log_attributes"

// attribute reads the name of one. As in ClickHouse it is a text, empty where the line has none.
func (p *parser) attribute() expression {
	token := p.next()
	if !isText(token) {
		p.failAt(token)
	}
	p.expect("]")
	return call{func(v []any) any { return textOf(v[0]) }, []expression{columnOf(unquote(token))}}
}

// isText tells whether a token is a text in quotes: one alone is none.
func isText(token string) bool { return len(token) > 1 && (token[0] == '\'' || token[0] == '"') }

func unquote(token string) string {
	inner := token[1 : len(token)-1]
	if token[0] == '\'' {
		inner = strings.ReplaceAll(inner, "''", "'")
	}
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`).Replace(inner)
}

func (p *parser) caseWhen() expression {
	p.expect("when")
	one := when{condition: p.or()}
	p.expect("then")
	one.then = p.operand()
	switch {
	case p.is("when"):
		one.otherwise = p.caseWhen()
		return one
	case p.take("else"):
		one.otherwise = p.operand()
	}
	p.expect("end")
	return one
}

func (p *parser) function(name string) expression {
	switch name {
	case "count":
		if p.take("*") {
			p.expect(")")
			return counted{}
		}
		distinct := p.take("distinct")
		return counted{p.last(), distinct}
	case "countif":
		return counted{when{condition: p.last(), then: literal{true}}, false}
	case "max":
		return largest{p.last()}
	case "sum", "avg":
		return total{p.last(), name == "avg"}
	case "cast", "safe_cast":
		value := p.or()
		p.expect("as")
		to := strings.ToLower(p.next())
		p.expect(")")
		return known(func(v []any) any { return cast(v[0], to) }, []expression{value})
	case "timestamp_trunc":
		value := p.or()
		p.expect(",")
		unit := strings.ToLower(p.next())
		p.expect(")")
		if truncation[unit] == 0 {
			p.failAt(unit)
		}
		return known(func(v []any) any { return truncated(v[0], unit) }, []expression{value})
	case "regexp_contains":
		text := p.or()
		p.expect(",")
		pattern := p.pattern()
		p.expect(")")
		return known(func(v []any) any { return pattern.MatchString(textOf(v[0])) }, []expression{text})
	case "multiif", "if":
		return p.multiIf()
	}
	one, is := functions[name]
	if !is {
		p.failAt(name)
	}
	return one.of(p)
}

// last reads the only argument of a function, or the last one.
func (p *parser) last() expression {
	one := p.or()
	p.expect(")")
	return one
}

// plain is a function of values.
type plain struct {
	takes int // 0: as many as there are, of which some may have no value
	do    func([]any) any
}

func (f plain) of(p *parser) expression {
	with := []expression{p.or()}
	for p.take(",") {
		with = append(with, p.or())
	}
	if f.takes != 0 && len(with) != f.takes {
		p.fail()
	}
	p.expect(")")
	if f.takes == 0 {
		return call{f.do, with}
	}
	return known(f.do, with)
}

var functions = map[string]plain{
	"lower": {1, func(v []any) any { return strings.ToLower(textOf(v[0])) }},
	"upper": {1, func(v []any) any { return strings.ToUpper(textOf(v[0])) }},
	"positioncaseinsensitiveutf8": {2, func(v []any) any {
		before, _, found := strings.Cut(strings.ToLower(textOf(v[0])), strings.ToLower(textOf(v[1])))
		if !found {
			return 0.
		}
		return float64(utf8.RuneCountInString(before) + 1)
	}},
	"toint32orzero": {1, func(v []any) any {
		number, err := strconv.ParseInt(textOf(v[0]), 10, 32)
		if err != nil {
			return 0.
		}
		return float64(number)
	}},
	"coalesce": {0, func(v []any) any {
		for _, one := range v {
			if one != nil {
				return one
			}
		}
		return nil
	}},
	"safe_divide": {2, func(v []any) any {
		above, isAbove := v[0].(float64)
		below, isBelow := v[1].(float64)
		if !isAbove || !isBelow || below == 0 {
			return nil
		}
		return above / below
	}},
	"tounixtimestamp64milli": {1, millis},
	"unix_millis":            {1, millis},
}

func millis(v []any) any {
	at, is := v[0].(float64)
	if !is {
		return nil
	}
	return float64(int64(at) / 1000)
}

// multiIf reads conditions with what holds then, and what holds else.
func (p *parser) multiIf() expression {
	first := p.or()
	if p.take(")") {
		return first
	}
	p.expect(",")
	then := p.or()
	p.expect(",")
	return when{first, then, p.multiIf()}
}

// pattern reads a regular expression, which is compiled once. Go's take time in proportion to the text, whatever they are.
func (p *parser) pattern() *regexp.Regexp {
	token := p.next()
	if !isText(token) {
		p.failAt(token)
	}
	pattern, err := regexp.Compile(unquote(token))
	if err != nil {
		p.failAt(token)
	}
	return pattern
}

// truncation is microseconds by unit.
var truncation = map[string]int64{"second": 1e6, "minute": 60e6, "hour": 3600e6, "day": 86400e6}

func truncated(value any, unit string) any {
	at, is := value.(float64)
	if !is {
		return nil
	}
	return float64(int64(at) / truncation[unit] * truncation[unit])
}

func cast(value any, to string) any {
	switch to {
	case "int64", "float64", "numeric":
		number, err := strconv.ParseFloat(textOf(value), 64)
		if err != nil {
			return nil
		}
		return number
	case "string":
		return textOf(value)
	}
	return value // a time is what it is
}

func (p *parser) is(word string) bool {
	return len(p.rest) > 0 && strings.EqualFold(p.rest[0], word)
}

func (p *parser) take(word string) bool {
	if !p.is(word) {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *parser) expect(word string) {
	if !p.take(word) {
		p.fail()
	}
}

func (p *parser) next() string {
	if len(p.rest) == 0 {
		p.fail()
	}
	token := p.rest[0]
	p.rest = p.rest[1:]
	return token
}

func (p *parser) fail() {
	at := ""
	if len(p.rest) > 0 {
		at = p.rest[0]
	}
	p.failAt(at)
}

func (p *parser) failAt(token string) { panic(unreadable{token}) }
