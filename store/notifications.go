package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Priority is how much a notification matters, in Studio's words.
type Priority string

// The priorities.
const (
	PriorityCritical Priority = "Critical"
	PriorityWarning  Priority = "Warning"
	PriorityInfo     Priority = "Info"
)

// NotificationStatus is what a member has done with a notification.
type NotificationStatus string

// The statuses.
const (
	NotificationNew      NotificationStatus = "new"
	NotificationSeen     NotificationStatus = "seen"
	NotificationArchived NotificationStatus = "archived"
)

// Notification is what the members who may see a project are told of it.
type Notification struct {
	ID               uuid.UUID
	Name             string // for programs, `projects.create.failed`
	Priority         Priority
	Title            string
	Message          string
	InsertedAt       time.Time
	OrganizationSlug Slug
	ProjectRef       *Ref // nil when the project is gone
	Status           NotificationStatus
}

// Viewer is who looks at notifications.
type Viewer struct {
	ProfileID  int64
	WithoutMFA bool // leaves out the organizations that sessions need a second factor for
}

// NotificationFilter narrows a list of notifications. The zero value of each field means no narrowing.
type NotificationFilter struct {
	Statuses      []NotificationStatus
	Priorities    []Priority
	Organizations []Slug
	Projects      []Ref
	IDs           []uuid.UUID
	Limit, Offset int // Limit 0: all
}

// NotificationSummary says how much there is that a member has not looked at.
type NotificationSummary struct {
	Unread      int64
	HasCritical bool
	HasWarning  bool
}

// visibleNotifications joins every notification with each member who may see what it is about. Who has joined later does
// not get what was before them, and who has a role in some projects alone gets what is said of those.
const visibleNotifications = `
	platform.members m
	join platform.organizations o on o.id = m.organization_id
	join platform.notifications n on n.organization_id = m.organization_id and n.inserted_at >= m.joined_at
	left join platform.projects p on p.id = n.project_id
	left join platform.project_members pm on pm.project_id = n.project_id and pm.profile_id = m.profile_id
	left join platform.notification_states s on s.notification_id = n.id and s.profile_id = m.profile_id
	where m.profile_id = @profile and (m.role is not null or pm.role is not null)
		and (n.profile_id is null or n.profile_id = m.profile_id)
		and not (@without_mfa and o.mfa_required)`

// Notifications lists what the viewer is told, the newest first.
func (s *Store) Notifications(ctx context.Context, viewer Viewer, filter NotificationFilter) ([]Notification, error) {
	rows, _ := s.pool.Query(ctx, `
		select n.id, n.name, n.priority, n.title, n.message, n.inserted_at, o.slug, p.ref, coalesce(s.status, 'new')
		from `+visibleNotifications+`
			and (cardinality(@statuses::text[]) = 0 or coalesce(s.status, 'new') = any (@statuses))
			and (cardinality(@priorities::text[]) = 0 or n.priority = any (@priorities))
			and (cardinality(@organizations::text[]) = 0 or o.slug = any (@organizations))
			and (cardinality(@projects::text[]) = 0 or p.ref = any (@projects))
			and (cardinality(@ids::uuid[]) = 0 or n.id = any (@ids))
		order by n.inserted_at desc, n.id limit nullif(@limit, 0) offset @offset`, pgx.NamedArgs{
		"profile": viewer.ProfileID, "without_mfa": viewer.WithoutMFA,
		"statuses": append([]NotificationStatus{}, filter.Statuses...), "priorities": append([]Priority{}, filter.Priorities...),
		"organizations": append([]Slug{}, filter.Organizations...), "projects": append([]Ref{}, filter.Projects...),
		"ids": append([]uuid.UUID{}, filter.IDs...), "limit": filter.Limit, "offset": filter.Offset,
	})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Notification])
	return found, wrap("list the notifications", err)
}

// SummarizeNotifications counts what is new to the viewer.
func (s *Store) SummarizeNotifications(ctx context.Context, viewer Viewer) (NotificationSummary, error) {
	var summary NotificationSummary
	err := s.pool.QueryRow(ctx, `
		select count(*), coalesce(bool_or(n.priority = 'Critical'), false), coalesce(bool_or(n.priority = 'Warning'), false)
		from `+visibleNotifications+` and coalesce(s.status, 'new') = 'new'`,
		pgx.NamedArgs{"profile": viewer.ProfileID, "without_mfa": viewer.WithoutMFA},
	).Scan(&summary.Unread, &summary.HasCritical, &summary.HasWarning)
	return summary, wrap("summarize the notifications", err)
}

// MarkNotifications notes what the viewer has done with notifications; those that the viewer may not see stay as they are.
// That somebody has looked is not a change of the platform: it is not audited, and it is the same when it is done twice.
func (s *Store) MarkNotifications(ctx context.Context, viewer Viewer, ids []uuid.UUID, status NotificationStatus) error {
	_, err := s.pool.Exec(ctx, `
		insert into platform.notification_states (profile_id, notification_id, status)
		select @profile, n.id, @status from `+visibleNotifications+` and n.id = any (@ids)
		on conflict (profile_id, notification_id) do update set status = excluded.status`,
		pgx.NamedArgs{"profile": viewer.ProfileID, "without_mfa": viewer.WithoutMFA, "ids": ids, "status": status})
	return wrap("mark the notifications", err)
}

// ArchiveNotifications archives everything that the viewer may see.
func (s *Store) ArchiveNotifications(ctx context.Context, viewer Viewer) error {
	_, err := s.pool.Exec(ctx, `
		insert into platform.notification_states (profile_id, notification_id, status)
		select @profile, n.id, @status from `+visibleNotifications+`
		on conflict (profile_id, notification_id) do update set status = excluded.status`,
		pgx.NamedArgs{"profile": viewer.ProfileID, "without_mfa": viewer.WithoutMFA, "status": NotificationArchived})
	return wrap("archive the notifications", err)
}

// ForgetNotifications drops the notifications that are older than age.
func (s *Store) ForgetNotifications(ctx context.Context, age time.Duration) error {
	_, err := s.pool.Exec(ctx, `delete from platform.notifications where inserted_at < $1`, s.now().Add(-age))
	return wrap("forget old notifications", err)
}

// told says which operations the members hear of, and how. What is quick and follows a click at once is told only when it
// fails.
var told = map[OperationKind]struct{ done, failed string }{
	OperationCreate:    {"%s is ready", "%s could not be created"},
	OperationPause:     {"%s is paused", "%s could not be paused"},
	OperationRestore:   {"%s is running again", "%s could not be started"},
	OperationRestart:   {"", "%s could not be restarted"},
	OperationConfigure: {"", "%s could not take up its changed settings"},
	OperationResize:    {"%s has its new size", "%s could not be given its new size"},
	OperationUpgrade:   {"%s is upgraded", "%s could not be upgraded"},
	OperationDelete:    {"%s is deleted", "%s could not be deleted"},

	OperationBackup:        {"", "%s could not be backed up"},
	OperationRestoreBackup: {"%s has the data of its backup again", "A backup of %s could not be restored"},

	OperationMigrate: {"%s has its new migrations", "%s could not take migrations over"},
}

// notifyOperation tells the members who may see a project how an operation on it ended.
func (s *Store) notifyOperation(ctx context.Context, tx pgx.Tx, project Project, kind OperationKind, failure error) error {
	words, known := told[kind]
	if !known {
		words.done, words.failed = "%s: "+string(kind)+" is done", "%s: "+string(kind)+" failed"
	}
	if failure != nil {
		return s.notify(ctx, tx, project, newNotification{
			name: "projects." + string(kind) + ".failed", priority: PriorityCritical,
			title: fmt.Sprintf(words.failed, project.Name), message: failure.Error(),
		})
	}
	if words.done == "" {
		return nil
	}
	return s.notify(ctx, tx, project, newNotification{
		name: "projects." + string(kind) + ".succeeded", priority: PriorityInfo, title: fmt.Sprintf(words.done, project.Name),
	})
}

// healthQuiet is how long nothing more is said of a project's health once it was said: one that comes and goes would fill
// everybody's list.
const healthQuiet = time.Hour

// notifyHealth tells the members who may see a project that it has fallen ill by itself, or is well again.
func (s *Store) notifyHealth(ctx context.Context, tx pgx.Tx, before Project, now Status, failure error) error {
	n := newNotification{quiet: healthQuiet}
	switch {
	case before.Status == StatusActiveHealthy && now == StatusActiveUnhealthy:
		n.name, n.priority, n.title = "projects.health.lost", PriorityWarning, before.Name+" is not healthy"
	case before.Status == StatusActiveUnhealthy && now == StatusActiveHealthy:
		n.name, n.priority, n.title = "projects.health.restored", PriorityInfo, before.Name+" is healthy again"
	default:
		return nil
	}
	if failure != nil {
		n.message = failure.Error()
	}
	return s.notify(ctx, tx, before, n)
}

// WelcomeName is the name of the notification that welcomes a member. Its message is the operator's own Markdown.
const WelcomeName = "instance.welcome"

// welcomeMember tells somebody who has just become a member of their first organization what the operator has to say.
func (s *Store) welcomeMember(ctx context.Context, tx pgx.Tx, organizationID, profileID int64) error {
	if s.welcome == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `
		insert into platform.notifications (organization_id, project_id, profile_id, name, priority, title, message, inserted_at)
		select $1, 0, $2, $6, $3, 'Welcome', $4, $5
		where not exists (select from platform.members where profile_id = $2 and organization_id <> $1)`,
		organizationID, profileID, PriorityInfo, s.welcome, s.now(), WelcomeName)
	if err != nil {
		return fmt.Errorf("welcome the member: %w", err)
	}
	return nil
}

// newNotification is what is to be told of a project.
type newNotification struct {
	name     string
	priority Priority
	title    string        // names the project
	message  string        // more of it, in plain words; may be empty
	quiet    time.Duration // for how long the same is not said again
}

// maxNotification is what Studio's list shows of a message without becoming a page, in runes.
const maxNotification = 500

// short cuts a message that Studio's list has no room for.
func short(message string) string {
	if utf8.RuneCountInString(message) <= maxNotification {
		return message
	}
	return string([]rune(message)[:maxNotification]) + "…"
}

// notify tells something of a project, in the transaction that makes it so.
func (s *Store) notify(ctx context.Context, tx pgx.Tx, project Project, n newNotification) error {
	_, err := tx.Exec(ctx, `
		insert into platform.notifications (organization_id, project_id, name, priority, title, message, inserted_at)
		select $1, $2, $3, $4, $5, $6, $7 where $8::interval = interval '0' or not exists (
			select from platform.notifications where project_id = $2 and name = $3 and inserted_at > $7::timestamptz - $8::interval)`,
		project.OrganizationID, project.ID, n.name, n.priority, n.title, short(n.message), s.now(), n.quiet)
	if err != nil {
		return fmt.Errorf("notify the members: %w", err)
	}
	return nil
}
