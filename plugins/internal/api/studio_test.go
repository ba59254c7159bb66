package api

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
)

// studioPermission is a row of GET /platform/profile/permissions, as Studio holds it.
type studioPermission struct {
	OrganizationSlug string   `json:"organization_slug"`
	Actions          []string `json:"actions"`
	Resources        []string `json:"resources"`
	Condition        any      `json:"condition"`
	Restrictive      bool     `json:"restrictive"`
	ProjectRefs      []string `json:"project_refs"`
}

// studioAllows decides as Studio does (hooks/misc/useCheckPermissions.ts, doPermissionsCheck), independently of the
// server's own decision. The ref is empty outside of projects; roleID is the role that is asked about, 0 for none.
func studioAllows(rows []studioPermission, action, resource, slug, ref string, roleID int64) bool {
	var organizationRows, projectRows []studioPermission
	for _, row := range rows {
		if row.OrganizationSlug != slug || !studioMatches(row.Actions, action) || !studioMatches(row.Resources, resource) {
			continue
		}
		if len(row.ProjectRefs) == 0 {
			organizationRows = append(organizationRows, row)
		} else if ref != "" && slices.Contains(row.ProjectRefs, ref) {
			projectRows = append(projectRows, row)
		}
	}
	data := map[string]any{"resource_name": resource}
	if roleID != 0 {
		data["resource"] = map[string]any{"role_id": float64(roleID)}
	}
	if len(projectRows) > 0 {
		return studioConditions(projectRows, data)
	}
	return studioConditions(organizationRows, data)
}

func studioConditions(rows []studioPermission, data map[string]any) bool {
	allowed := false
	for _, row := range rows {
		if row.Condition != nil && jsonLogic(row.Condition, data) != true {
			continue
		}
		if row.Restrictive {
			return false
		}
		allowed = true
	}
	return allowed
}

func studioMatches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = strings.Replace(strings.Replace(pattern, ".", `\.`, 1), "%", ".*", 1)
		return regexp.MustCompile("^" + pattern + "$").MatchString(text)
	})
}

// jsonLogic evaluates the operators that the permissions use, with JavaScript's reading of a missing number.
func jsonLogic(rule any, data map[string]any) any {
	object, ok := rule.(map[string]any)
	if !ok {
		return rule
	}
	for operator, arguments := range object {
		switch operator {
		case "var":
			return jsonLogicVar(arguments.(string), data)
		case "%":
			a, b := jsonLogicPair(arguments, data)
			return math.Mod(a, b)
		case "==":
			a, b := jsonLogicPair(arguments, data)
			return a == b
		}
	}
	panic("an operator that Studio was never given")
}

func jsonLogicPair(arguments any, data map[string]any) (a, b float64) {
	pair := arguments.([]any)
	a, _ = jsonLogic(pair[0], data).(float64)
	b, _ = jsonLogic(pair[1], data).(float64)
	return a, b
}

func jsonLogicVar(path string, data map[string]any) any {
	var value any = data
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// studioPermissions is what Studio is given to evaluate.
func (b *bundle) studioPermissions(authorization string) []studioPermission {
	b.t.Helper()
	var rows []studioPermission
	recorder := b.raw(authorization, "GET", "/platform/profile/permissions", "")
	if err := json.Unmarshal(recorder.Body.Bytes(), &rows); err != nil {
		b.t.Fatalf("%s: %v", recorder.Body, err)
	}
	return rows
}
