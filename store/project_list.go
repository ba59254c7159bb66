package store

import (
	"context"
	"strconv"
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
	Projects []ProjectSummary
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
		return ProjectPage{Projects: []ProjectSummary{}}, nil
	}
	matching := ` from platform.projects p where ` + strings.Join(q.conditions, ` and `)
	counted := len(q.arguments)
	page := ``
	if filter.Limit > 0 {
		page = ` limit ` + q.argument(filter.Limit)
	}
	rows, _ := s.pool.Query(ctx, `
		select `+projectSummaryColumns+matching+` order by `+filter.Order.columns()+page+` offset `+q.argument(filter.Offset), q.arguments...)
	list := ProjectPage{Projects: []ProjectSummary{}}
	var p ProjectSummary
	_, err = pgx.ForEachRow(rows, []any{
		&p.ID, &p.Ref, &p.OrganizationID, &p.Name, &p.CloudProvider, &p.Region, &p.Target, &p.ComputeSize, &p.Status, &p.DBVersion, &p.CreatedAt,
		&p.Branching, &p.PreviewRefs,
	}, func() error {
		p.OrganizationSlug = slugOf(memberships, p.OrganizationID)
		list.Projects = append(list.Projects, p)
		p.PreviewRefs = nil // what is scanned into next is another list
		return nil
	})
	if err != nil {
		return ProjectPage{}, wrap("list the projects", err)
	}
	// A page that is not full is the last one, and says itself how many there are.
	list.Count = int64(filter.Offset + len(list.Projects))
	if len(list.Projects) == 0 && filter.Offset > 0 || filter.Limit > 0 && len(list.Projects) == filter.Limit {
		err = s.pool.QueryRow(ctx, `select count(*)`+matching, q.arguments[:counted]...).Scan(&list.Count)
	}
	return list, wrap("count the projects", err)
}

func slugOf(memberships []Membership, organizationID int64) Slug {
	for _, m := range memberships {
		if m.ID == organizationID {
			return m.Slug
		}
	}
	return ""
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
	arguments  []any
}

// argument adds a value, and returns what stands for it in the query.
func (q *projectQuery) argument(value any) string {
	q.arguments = append(q.arguments, value)
	return "$" + strconv.Itoa(len(q.arguments))
}

func (q *projectQuery) where(condition string) { q.conditions = append(q.conditions, condition) }

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
	q := &projectQuery{conditions: []string{`p.parent_id is null`}}
	switch {
	case len(projects) == 0 && len(organizations) == 1:
		q.where(`p.organization_id = ` + q.argument(organizations[0]))
	case len(projects) == 0:
		q.where(`p.organization_id = any (` + q.argument(organizations) + `)`)
	default:
		q.whereIn(organizations, projects)
	}
	if f.Limits.limited() {
		q.whereIn(f.Limits.organizations(), f.Limits.projects())
	}
	if f.Search != "" {
		search := `lower(` + q.argument(f.Search) + `)`
		q.where(`(strpos(lower(p.name), ` + search + `) > 0 or strpos(p.ref, ` + search + `) > 0)`)
	}
	if len(f.Statuses) > 0 {
		q.where(`p.status = any (` + q.argument(f.Statuses) + `)`)
	}
	return q
}

func (q *projectQuery) whereIn(organizations, projects []int64) {
	q.where(`(p.organization_id = any (` + q.argument(organizations) + `) or p.id = any (` + q.argument(projects) + `))`)
}
