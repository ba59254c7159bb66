package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// NotificationResponse is something that you are told of a project.
type NotificationResponse struct {
	ID         uuid.UUID        `json:"id" format:"uuid"`
	Name       string           `json:"name" doc:"For programs, such as projects.create.failed."`
	Priority   string           `json:"priority" enum:"Critical,Warning,Info"`
	Status     string           `json:"status" enum:"new,seen,archived"`
	InsertedAt time.Time        `json:"inserted_at"`
	Data       NotificationData `json:"data"`
	Meta       *struct{}        `json:"meta"`
}

// NotificationData is what Studio shows of it (data/notifications/notifications-v2-query.ts).
type NotificationData struct {
	Title      string               `json:"title"`
	Message    string               `json:"message" doc:"Markdown."`
	OrgSlug    string               `json:"org_slug"`
	ProjectRef *string              `json:"project_ref,omitempty" doc:"Absent when the project is gone."`
	Actions    []NotificationAction `json:"actions"`
}

// NotificationAction is a button under a notification.
type NotificationAction struct {
	Label string `json:"label"`
	URL   string `json:"url" doc:"Studio puts the project's ref in for [ref]."`
}

// NotificationsSummary says how much there is that you have not looked at.
type NotificationsSummary struct {
	HasCritical bool  `json:"has_critical"`
	HasWarning  bool  `json:"has_warning"`
	UnreadCount int64 `json:"unread_count"`
}

type listNotificationsInput struct {
	Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Offset   int    `query:"offset" minimum:"0"`
	Status   string `query:"status" doc:"Comma-separated; new and seen where absent."`
	Priority string `query:"priority" doc:"Comma-separated."`
	OrgSlug  string `query:"org_slug" doc:"Comma-separated."`
	Ref      string `query:"project_ref" doc:"Comma-separated."`
}

type updateNotificationsInput struct {
	Body []NotificationChange `maxItems:"1000"`
}

// NotificationChange says what became of one notification.
type NotificationChange struct {
	ID     uuid.UUID `json:"id" format:"uuid"`
	Status string    `json:"status" enum:"new,seen,archived"`
}

func (a *API) registerNotifications() {
	const path = "/platform/notifications"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.SignedIn(),
		kind: Real, summary: "What you are told of the projects that you may see",
	}, a.listNotifications)
	handle(a, route{
		method: http.MethodGet, path: path + "/summary", permission: access.SignedIn(),
		kind: Real, summary: "How much is new",
	}, a.summarizeNotifications)
	handle(a, route{
		method: http.MethodPatch, path: path, permission: access.SignedIn(),
		kind: Real, summary: "Mark notifications as seen, archived or new",
	}, a.updateNotifications)
	act(a, route{
		method: http.MethodPatch, path: path + "/archive-all", permission: access.SignedIn(),
		kind: Real, summary: "Archive all notifications",
	}, a.archiveNotifications)
}

func viewerOf(c *call) store.Viewer {
	return store.Viewer{ProfileID: c.Profile.ID, WithoutMFA: !access.HasSecondFactor(c.Caller)}
}

func (a *API) listNotifications(ctx context.Context, c *call, in *listNotificationsInput) ([]NotificationResponse, error) {
	filter := store.NotificationFilter{
		Limit: in.Limit, Offset: in.Offset,
		Organizations: split[store.Slug](in.OrgSlug), Projects: split[store.Ref](in.Ref),
		Statuses:   []store.NotificationStatus{store.NotificationNew, store.NotificationSeen},
		Priorities: split[store.Priority](in.Priority),
	}
	if in.Status != "" {
		filter.Statuses = split[store.NotificationStatus](in.Status)
	}
	found, err := a.store.Notifications(ctx, viewerOf(c), filter)
	return notificationsOf(found), err
}

func (a *API) summarizeNotifications(ctx context.Context, c *call, _ *none) (NotificationsSummary, error) {
	summary, err := a.store.SummarizeNotifications(ctx, viewerOf(c))
	return NotificationsSummary{summary.HasCritical, summary.HasWarning, summary.Unread}, err
}

// updateNotifications passes over what the caller may not see, as if it were not there.
func (a *API) updateNotifications(ctx context.Context, c *call, in *updateNotificationsInput) ([]NotificationResponse, error) {
	byStatus := map[store.NotificationStatus][]uuid.UUID{}
	known := map[uuid.UUID]string{}
	all := make([]uuid.UUID, 0, len(in.Body))
	for _, change := range in.Body {
		if status, twice := known[change.ID]; twice && status != change.Status {
			return nil, problem.BadRequest("A notification is named twice, with different statuses.")
		}
		known[change.ID] = change.Status
		byStatus[store.NotificationStatus(change.Status)] = append(byStatus[store.NotificationStatus(change.Status)], change.ID)
		all = append(all, change.ID)
	}
	if len(all) == 0 {
		return []NotificationResponse{}, nil
	}
	viewer := viewerOf(c)
	for status, ids := range byStatus {
		if err := a.store.MarkNotifications(ctx, viewer, ids, status); err != nil {
			return nil, err
		}
	}
	changed, err := a.store.Notifications(ctx, viewer, store.NotificationFilter{IDs: all})
	return notificationsOf(changed), err
}

func (a *API) archiveNotifications(ctx context.Context, c *call, _ *none) error {
	return a.store.ArchiveNotifications(ctx, viewerOf(c))
}

func notificationsOf(found []store.Notification) []NotificationResponse {
	list := make([]NotificationResponse, len(found))
	for i, one := range found {
		list[i] = notificationOf(one)
	}
	return list
}

func notificationOf(n store.Notification) NotificationResponse {
	data := NotificationData{
		Title: n.Title, Message: escapeMarkdown(n.Message), OrgSlug: string(n.OrganizationSlug), Actions: []NotificationAction{},
	}
	if n.ProjectRef != nil {
		ref := string(*n.ProjectRef)
		data.ProjectRef = &ref
		data.Actions = append(data.Actions, NotificationAction{Label: "Open the project", URL: "/project/[ref]"})
		if n.OfAdvisors() {
			data.Actions[0] = NotificationAction{Label: "Open the security advisor", URL: "/project/[ref]/advisors/security"}
		}
	}
	if n.Name == store.WelcomeName {
		data.Message = n.Message
	}
	return NotificationResponse{
		ID: n.ID, Name: n.Name, Priority: string(n.Priority), Status: string(n.Status), InsertedAt: n.InsertedAt.UTC(), Data: data,
	}
}

// markdownPunctuation is what Markdown may read something into (CommonMark 2.4).
const markdownPunctuation = "\\`*_{}[]()<>#+-.!|~&:@"

// escapeMarkdown keeps a text from being more than text: Studio renders messages, and what failed may name things as
// somebody has called them.
func escapeMarkdown(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		if strings.ContainsRune(markdownPunctuation, r) {
			escaped.WriteByte('\\')
		}
		escaped.WriteRune(r)
	}
	return escaped.String()
}

// split reads a comma-separated list of a query.
func split[T ~string](text string) []T {
	var list []T
	for one := range strings.SplitSeq(text, ",") {
		if one != "" {
			list = append(list, T(one))
		}
	}
	return list
}
