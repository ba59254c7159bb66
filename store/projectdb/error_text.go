package projectdb

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// errorText words an error as psql and upstream's API do:
//
//	ERROR:  42P01: relation "shops" does not exist
//	LINE 1: select * from shops
//	                      ^
func errorText(sql string, refused *pgconn.PgError) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s:  %s: %s\n", refused.Severity, refused.Code, refused.Message)
	if refused.Position > 0 {
		text.WriteString(pointAt(sql, int(refused.Position)))
	}
	for _, more := range []struct{ label, text string }{
		{"DETAIL", refused.Detail}, {"HINT", refused.Hint}, {"CONTEXT", refused.Where},
	} {
		if more.text != "" {
			fmt.Fprintf(&text, "%s:  %s\n", more.label, more.text)
		}
	}
	return text.String()
}

// pointAt prints the line that a position is in, counted in characters from 1, and a caret below it.
func pointAt(sql string, position int) string {
	characters := []rune(sql)
	if position > len(characters)+1 {
		return ""
	}
	before := string(characters[:position-1])
	number := strings.Count(before, "\n") + 1
	start := strings.LastIndex(before, "\n") + 1
	line, _, _ := strings.Cut(string(characters)[start:], "\n")
	label := fmt.Sprintf("LINE %d: ", number)
	column := utf8.RuneCountInString(before[start:])
	return label + line + "\n" + strings.Repeat(" ", len(label)+column) + "^\n"
}
