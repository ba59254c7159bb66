package store

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ProjectOrder is how a list of projects is sorted.
type ProjectOrder string

// The orders that Studio asks for.
const (
	OrderNameAscending     ProjectOrder = "name_asc"
	OrderNameDescending    ProjectOrder = "name_desc"
	OrderCreatedAscending  ProjectOrder = "created_asc"
	OrderCreatedDescending ProjectOrder = "created_desc"
)

var projectOrders = map[ProjectOrder]string{
	OrderNameAscending:     "lower(p.name), p.id",
	OrderNameDescending:    "lower(p.name) desc, p.id desc",
	OrderCreatedAscending:  "p.created_at, p.id",
	OrderCreatedDescending: "p.created_at desc, p.id desc",
}

// ProjectFilter narrows a list of projects. The zero value of each field means no narrowing.
type ProjectFilter struct {
	OrganizationID int64
	Search         string // part of the name or of the ref, in any case
	Statuses       []Status
	Order          ProjectOrder // by name where empty
	Limit, Offset  int          // Limit 0: all
	WithoutMFA     bool         // leaves out what sessions need a second factor for
	Limits         *TokenLimits // of the access token that asks
}

// ProjectPage is one page of a list, and how many rows there are on all pages.
type ProjectPage struct {
	Projects []Project
	Count    int64
}

// Projects lists the projects that the profile may see. What somebody is in their organizations is known beforehand
// (Memberships), so that the list is read from one index of the projects, however many others there are.
func (s *Store) Projects(ctx context.Context, profileID int64, filter ProjectFilter) (ProjectPage, error) {
	memberships, err := s.Memberships(ctx, profileID)
	if err != nil {
		return ProjectPage{}, err
	}
	q := filter.query(memberships)
	if q == nil {
		return ProjectPage{Projects: []Project{}}, nil
	}
	matching := ` from platform.projects p where ` + strings.Join(q.conditions, ` and `)
	page := ` limit @limit`
	if filter.Limit == 0 {
		page = ``
	}
	// The count comes with every row; a page past the end has none, and asks for it by itself.
	rows, _ := s.pool.Query(ctx, `
		select `+projectColumns+`, (select count(*)`+matching+`)
		from (select p.*`+matching+` order by `+filter.Order.columns()+page+` offset @offset) p
			join platform.organizations o on o.id = p.organization_id
		order by `+filter.Order.columns(), q.arguments)
	type row struct {
		Project
		Count int64
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return ProjectPage{}, wrap("list the projects", err)
	}
	list := ProjectPage{Projects: make([]Project, len(found))}
	for i, one := range found {
		list.Projects[i], list.Count = one.Project, one.Count
	}
	if len(found) == 0 && filter.Offset > 0 {
		err = s.pool.QueryRow(ctx, `select count(*)`+matching, q.arguments).Scan(&list.Count)
	}
	return list, wrap("count the projects", err)
}

func (o ProjectOrder) columns() string {
	if columns, known := projectOrders[o]; known {
		return columns
	}
	return projectOrders[OrderNameAscending]
}

// projectQuery is what a list of projects is narrowed by. Only what narrows stands in it: a condition that may be void
// hides the index from Postgres.
type projectQuery struct {
	conditions []string
	arguments  pgx.NamedArgs
}

func (q *projectQuery) where(condition, name string, value any) {
	q.conditions = append(q.conditions, condition)
	q.arguments[name] = value
}

// query returns what matches the filter, for somebody with these memberships; nil where nothing can.
func (f ProjectFilter) query(memberships []Membership) *projectQuery {
	var organizations, projects []int64
	for _, m := range memberships {
		if f.OrganizationID != 0 && m.ID != f.OrganizationID || f.WithoutMFA && m.MFARequired {
			continue
		}
		if m.Role.Valid() {
			organizations = append(organizations, m.ID)
			continue
		}
		for _, one := range m.ProjectRoles {
			projects = append(projects, one.ProjectID)
		}
	}
	if len(organizations)+len(projects) == 0 {
		return nil
	}
	q := &projectQuery{arguments: pgx.NamedArgs{"limit": f.Limit, "offset": f.Offset}}
	switch {
	case len(projects) == 0 && len(organizations) == 1:
		q.where(`p.organization_id = @organization`, "organization", organizations[0])
	case len(projects) == 0:
		q.where(`p.organization_id = any (@organizations)`, "organizations", organizations)
	default:
		q.where(`(p.organization_id = any (@organizations) or p.id = any (@projects))`, "organizations", organizations)
		q.arguments["projects"] = projects
	}
	if f.Limits.limited() {
		q.where(`(p.organization_id = any (@within_organizations) or p.id = any (@within_projects))`, "within_organizations", f.Limits.organizations())
		q.arguments["within_projects"] = f.Limits.projects()
	}
	if f.Search != "" {
		q.where(`(strpos(lower(p.name), lower(@search)) > 0 or strpos(p.ref, lower(@search)) > 0)`, "search", f.Search)
	}
	if len(f.Statuses) > 0 {
		q.where(`p.status = any (@statuses)`, "statuses", slices.Clone(f.Statuses))
	}
	return q
}
