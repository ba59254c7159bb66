package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
)

// Reference returns docs/api.md: every route, with what it needs and where its answer comes from, as Markdown.
func (a *API) Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	routes := slices.SortedFunc(slices.Values(a.routes), func(one, other route) int {
		return cmp.Or(strings.Compare(one.path, other.path), strings.Compare(one.method, other.method))
	})
	writeCounts(&b, routes)
	b.WriteString("\n## Routes\n\n| | path | permission | answer | |\n|---|---|---|---|---|\n")
	for _, r := range routes {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", r.method, r.path, r.permission, r.kind, cell(r.summary))
	}
	for _, line := range pgmeta.Routes() {
		columns := strings.Split(line, "\t")
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | postgres-meta, on the project's own database |\n", columns[0], columns[1], columns[2], columns[3])
	}
	writeReasons(&b, "What self-hosting has none of", Empty, routes)
	writeReasons(&b, "What self-hosting cannot do", Unavailable, routes)
	return b.String()
}

const referenceHead = `# The API

<!-- Made by "make docs" from the routes' own declarations. -->

Everything stands under ` + "`/api`" + ` at the gateway. Callers send ` + "`Authorization: Bearer …`" + `: a session token of the platform's GoTrue,
or a personal access token (` + "`sbp_…`" + `). A permission names an action and a resource; which role has which is in
` + "`plugins/internal/access/matrix.go`" + `, and ` + "`GET /platform/profile/permissions`" + ` prints it as Studio evaluates it. A stranger to an
organization or a project is answered 404, a member without the right 403. ` + "`platform-api -openapi`" + ` prints the same routes with the
shapes of their bodies (OpenAPI 3.1).

An answer is **real** (from what the platform keeps or measures), **proxied** (from one of the project's own services),
**empty** (self-hosting has none of it) or **unavailable** (self-hosting cannot do it, and says so).
`

func writeCounts(b *strings.Builder, routes []route) {
	counts := map[Kind]int{}
	for _, r := range routes {
		counts[r.kind]++
	}
	fmt.Fprintf(b, "\n%d routes: %d real, %d proxied, %d empty, %d unavailable.\n",
		len(routes), counts[Real], counts[Proxied], counts[Empty], counts[Unavailable])
}

// writeReasons lists the routes of one kind under the reasons that they share.
func writeReasons(b *strings.Builder, title string, kind Kind, routes []route) {
	byReason := map[string][]string{}
	var reasons []string
	for _, r := range routes {
		if r.kind != kind {
			continue
		}
		if byReason[r.because] == nil {
			reasons = append(reasons, r.because)
		}
		byReason[r.because] = append(byReason[r.because], fmt.Sprintf("`%s %s`", r.method, r.path))
	}
	fmt.Fprintf(b, "\n## %s\n", title)
	for _, reason := range reasons {
		fmt.Fprintf(b, "\n**%s**\n\n- %s\n", reason, strings.Join(byReason[reason], "\n- "))
	}
}

// cell keeps a text from ending its table cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
