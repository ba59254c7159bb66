package compose_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// rules is monitoring/alerts.yml.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func alerts(t *testing.T) rules {
	t.Helper()
	content, err := os.ReadFile("monitoring/alerts.yml")
	require.NoError(t, err)
	var read rules
	require.NoError(t, yaml.Unmarshal(content, &read))
	require.NotEmpty(t, read.Groups)
	return read
}

// expressions are those of the alert rules and of the dashboard, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, group := range alerts(t).Groups {
		for _, rule := range group.Rules {
			all["alert "+rule.Alert] = rule.Expr
		}
	}
	content, err := os.ReadFile("monitoring/dashboards/plurabase.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			// Grafana puts its own interval there.
			all["panel "+panel.Title+" "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
		}
	}
	return all
}

// written are the metrics that the code makes, found where they are made.
func written(t *testing.T) []string {
	t.Helper()
	name := regexp.MustCompile(`(?:describe\("|Name:\s+"plurabase_|NewDesc\("plurabase_)([a-z_]+)"`)
	names := map[string]bool{}
	for _, path := range sources(t, ".go") {
		for _, found := range name.FindAllStringSubmatch(read(t, path), -1) {
			names["plurabase_"+found[1]] = true
		}
	}
	var list []string
	for one := range names {
		list = append(list, one)
	}
	slices.Sort(list)
	return list
}

func TestEveryExpressionAsksForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	known := append(written(t), "up", "process_resident_memory_bytes", "process_cpu_seconds_total")
	part := regexp.MustCompile(`_(bucket|sum|count)$`)
	for where, text := range expressions(t) {
		expression, err := metricsql.Parse(text)
		require.NoError(t, err, where)
		asked := 0
		metricsql.VisitAll(expression, func(node metricsql.Expr) {
			selector, ok := node.(*metricsql.MetricExpr)
			if !ok {
				return
			}
			for _, filters := range selector.LabelFilterss {
				asked++
				require.Equal(t, "__name__", filters[0].Label, where)
				require.Contains(t, known, part.ReplaceAllString(filters[0].Value, ""), where)
			}
		})
		require.Positive(t, asked, where)
	}
}

func TestEveryAlertSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	for _, group := range alerts(t).Groups {
		for _, rule := range group.Rules {
			require.Contains(t, []string{"page", "look"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		}
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, found := range regexp.MustCompile("(?m)^\\| `(plurabase_[a-z_]+)` \\|").FindAllStringSubmatch(read(t, "../docs/operate.md"), -1) {
		documented = append(documented, found[1])
	}
	require.ElementsMatch(t, written(t), documented)
}
