package api

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNoFieldIsMadeUp finds the fields of real routes' answers that are the same whatever happens: those that this package's code
// sets to nothing but constants, or never sets. Each has to stand in constants with its reason. What comes out of a computation is
// believed here; that it changes when what it tells of does, the tests of each route say.
func TestNoFieldIsMadeUp(t *testing.T) {
	t.Parallel()
	set, reasons := fieldsSet(t), map[string]string{}
	for reason, fields := range constants {
		require.NotEmpty(t, reason)
		for field := range strings.FieldsSeq(fields) {
			require.NotContains(t, reasons, field, "it has two reasons")
			reasons[field] = reason
		}
	}
	var unexplained []string
	for _, field := range answeredFields(New(Dependencies{}).routes) {
		if set[field] {
			continue
		}
		if _, explained := reasons[field]; !explained {
			unexplained = append(unexplained, field)
		}
		delete(reasons, field)
	}
	require.Empty(t, unexplained, "nothing computes these: leave them out, tell the truth, or say in constants why they are always the same")
	require.Empty(t, slices.Sorted(maps.Keys(reasons)), "these are no constants, or no fields of real answers, any more")
}

// answeredFields are the fields of the answers of real routes, as `Type.Field`, as far as their types are this package's.
func answeredFields(routes []route) []string {
	var fields []string
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(answer reflect.Type) {
		if answer == nil || seen[answer] {
			return
		}
		seen[answer] = true
		switch answer.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(answer.Elem())
		case reflect.Struct:
			ours := answer.PkgPath() == reflect.TypeFor[route]().PkgPath() || answer.Name() == ""
			for i := range answer.NumField() {
				field := answer.Field(i)
				walk(field.Type)
				if ours && field.IsExported() && !field.Anonymous && field.Tag.Get("json") != "-" && answer.Name() != "" {
					name, _, _ := strings.Cut(answer.Name(), "[")
					fields = append(fields, name+"."+field.Name)
				}
			}
		}
	}
	for _, r := range routes {
		if r.kind == Real {
			walk(r.answer)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// fieldsSet are the fields that this package's code sets to something that is no constant, or to several, as `Type.Field`.
func fieldsSet(t *testing.T) map[string]bool {
	t.Helper()
	files, info := checked(t)
	s := setter{info, map[string]map[string]bool{}, map[types.Type]bool{}}
	for _, file := range files {
		ast.Inspect(file, s.look)
	}
	set := map[string]bool{}
	for field, values := range s.values {
		set[field] = values[computed] || len(values) > 1
	}
	return set
}

// checked is this package's code with its types. The compiler has made what it imports, so that only this package is read.
func checked(t *testing.T) ([]*ast.File, *types.Info) {
	t.Helper()
	listed, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".").Output()
	require.NoError(t, err)
	compiled := map[string]string{}
	for line := range strings.Lines(string(listed)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		compiled[path] = file
	}
	fset := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		Instances: map[*ast.Ident]types.Instance{}, Uses: map[*ast.Ident]types.Object{},
	}
	lookup := func(path string) (io.ReadCloser, error) {
		content, err := os.ReadFile(compiled[path])
		return io.NopCloser(bytes.NewReader(content)), err
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	_, err = config.Check(reflect.TypeFor[route]().PkgPath(), fset, files, info)
	require.NoError(t, err)
	return files, info
}

// setter finds what fields are set to.
type setter struct {
	info   *types.Info
	values map[string]map[string]bool
	wholes map[types.Type]bool // whose every field is computed
}

// What a field is set to: a constant's text, or one of these.
const (
	computed = "computed"
	nothing  = "" // zero, nil, a list without items
)

func (s setter) look(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.CompositeLit:
		s.literal(node)
	case *ast.AssignStmt:
		for i, left := range node.Lhs {
			if selector, ok := left.(*ast.SelectorExpr); ok && len(node.Lhs) == len(node.Rhs) {
				s.selected(selector, s.valueOf(node.Rhs[i]))
			} else if ok {
				s.selected(selector, computed)
			}
		}
	case *ast.IncDecStmt:
		if selector, ok := node.X.(*ast.SelectorExpr); ok {
			s.selected(selector, computed)
		}
	case *ast.UnaryExpr: // whoever is given an address may set what is there, as a decoder does
		if node.Op == token.AND {
			if selector, ok := node.X.(*ast.SelectorExpr); ok {
				s.selected(selector, computed)
			} else if _, literal := node.X.(*ast.CompositeLit); !literal {
				s.whole(s.info.TypeOf(node.X))
			}
		}
	case *ast.CallExpr:
		if s.info.Types[node.Fun].IsType() && len(node.Args) == 1 { // a conversion of another struct
			s.whole(s.info.TypeOf(node))
		}
	case *ast.Ident:
		if instance, generic := s.info.Instances[node]; generic && slices.Contains(decoders, node.Name) {
			for i := range instance.TypeArgs.Len() {
				s.whole(instance.TypeArgs.At(i))
			}
		}
	}
	return true
}

// decoders are this package's generic functions that read into a type that they are given.
var decoders = []string{"section"}

// literal notes what a literal sets, and that it leaves the other fields alone.
func (s setter) literal(literal *ast.CompositeLit) {
	of := s.info.TypeOf(literal)
	structure, ok := of.Underlying().(*types.Struct)
	if !ok || len(literal.Elts) == 0 { // an empty one goes with an error, or is filled later
		return
	}
	values := map[string]string{}
	for i, element := range literal.Elts {
		if pair, keyed := element.(*ast.KeyValueExpr); keyed {
			values[pair.Key.(*ast.Ident).Name] = s.valueOf(pair.Value)
		} else {
			values[structure.Field(i).Name()] = s.valueOf(element)
		}
	}
	for field := range structure.Fields() {
		s.note(of, field.Name(), values[field.Name()])
	}
}

// selected notes x.Field = value, which may be of a struct that is embedded in x's.
func (s setter) selected(selector *ast.SelectorExpr, value string) {
	selection := s.info.Selections[selector]
	if selection == nil {
		return
	}
	owner := selection.Recv()
	for _, index := range selection.Index()[:len(selection.Index())-1] {
		owner = structOf(owner).Field(index).Type()
	}
	s.note(owner, selector.Sel.Name, nothing) // until then
	s.note(owner, selector.Sel.Name, value)
	if inner, ok := selector.X.(*ast.SelectorExpr); ok { // x.Outer.Field sets a part of x.Outer
		s.selected(inner, computed)
	}
}

// whole notes that every field of a struct is computed, and of the structs in it.
func (s setter) whole(of types.Type) {
	if structure := structOf(of); structure != nil && !s.wholes[of] {
		s.wholes[of] = true
		for field := range structure.Fields() {
			s.note(of, field.Name(), computed)
			s.whole(field.Type())
		}
	}
}

func structOf(of types.Type) *types.Struct {
	if of == nil {
		return nil
	}
	if pointer, ok := of.Underlying().(*types.Pointer); ok {
		of = pointer.Elem()
	}
	structure, _ := of.Underlying().(*types.Struct)
	return structure
}

func (s setter) note(owner types.Type, field, value string) {
	if pointer, ok := owner.(*types.Pointer); ok {
		owner = pointer.Elem()
	}
	if named, ok := types.Unalias(owner).(*types.Named); ok {
		key := named.Obj().Name() + "." + field
		if s.values[key] == nil {
			s.values[key] = map[string]bool{}
		}
		s.values[key][value] = true
	}
}

// valueOf returns what an expression stands for, as far as that is seen in the code.
func (s setter) valueOf(expression ast.Expr) string {
	if value := s.info.Types[expression]; value.IsNil() {
		return nothing
	} else if value.Value != nil {
		if text := value.Value.ExactString(); text != `""` && text != "0" && text != "false" {
			return "constant " + text
		}
		return nothing
	}
	switch expression := expression.(type) {
	case *ast.CompositeLit:
		texts := make([]string, len(expression.Elts))
		for i, element := range expression.Elts {
			if pair, keyed := element.(*ast.KeyValueExpr); keyed {
				element = pair.Value
			}
			if texts[i] = s.valueOf(element); texts[i] == computed {
				return computed
			}
		}
		return strings.Join(texts, ",")
	case *ast.UnaryExpr:
		return s.valueOf(expression.X)
	case *ast.ParenExpr:
		return s.valueOf(expression.X)
	}
	return computed
}

// constants are the fields of real answers that are always the same, by the reason.
var constants = map[string]string{
	"Nothing is sold here: no prices, bills, add-ons, partners or limits of a plan.": `
		ComputeVariant.Price ComputeVariant.PriceDescription ComputeVariant.PriceInterval ComputeVariant.PriceType
		V1ComputeVariant.Price V1Price.Amount V1Price.Description V1Price.Interval V1Price.Type
		CustomerResponse.Balance CustomerResponse.BillingViaPartner CustomerResponse.TaxID
		OrganizationResponse.BillingPartner OrganizationResponse.OrganizationMissingAddr OrganizationResponse.OrganizationMissingTaxID
		OrganizationResponse.RestrictionData OrganizationResponse.RestrictionStatus OrganizationResponse.StripeCustomerID
		OrganizationResponse.SubscriptionID OrganizationResponse.UsageBillingEnabled UpdateOrganizationResponse.StripeCustomerID
		ProjectDetailResponse.SubscriptionID ProjectSummary.SubscriptionID ProfileResponse.FreeProjectLimit
		SubscriptionResponse.Addons SubscriptionResponse.BillingCycleAnchor SubscriptionResponse.BillingViaPartner
		SubscriptionResponse.NextInvoiceAt SubscriptionResponse.PaymentMethodType SubscriptionResponse.ProjectAddons
		SubscriptionResponse.ScheduledPlanChange SubscriptionResponse.UsageBillingEnabled
		TransferPreview.MembersExceedingFreeLimit Usage.Capped Usage.Cost Usage.PricingStrategy Usage.UnitPriceDesc Usage.Unlimited
		UsageResponse.UsageBillingEnabled`,
	"There is one plan, and it has everything.": `
		OrganizationPlan.ID TransferPreview.SourcePlan V1OrganizationDetail.Plan Entitlement.HasAccess EntitlementConfig.Enabled
		EntitlementConfig.Set Usage.AvailableInPlan V1NetworkRestrictions.Entitlement V1NetworkRestrictionsV2.Entitlement
		V2NetworkRestrictions.Entitlement`,
	"Backups are logical: nothing physical is kept, and no time between two of them can be gone back to.": `
		BackupSummary.IsPhysicalBackup BackupsResponse.PITREnabled BackupsResponse.PhysicalBackupData BackupsResponse.WALGEnabled
		V1Backup.IsPhysicalBackup V1BackupsResponse.PITREnabled V1BackupsResponse.PhysicalBackupData V1BackupsResponse.WALGEnabled
		DownloadableBackupsResponse.Status ProjectDetailResponse.IsPhysicalBackupsEnabled ProjectSummary.IsPhysicalBackupsEnabled
		ResourceWarnings.NeedPITR`,
	"Branches are listed with their project, and not among an organization's.": `OrganizationProject.IsBranch`,
	"A paused project keeps its volumes for as long as somebody wants: it is restored from no backup.": `
		BackupRef.ID RestoreProjectResponse.Backups PauseStatusResponse.LatestDownloadableBackupID
		PauseStatusResponse.MaxDaysTillRestoreDisabled PauseStatusResponse.RemainingDaysTillRestoreDisabled`,
	"A project is one database on a machine of the operator's: no replicas, clusters or other engines.": `
		ProjectDatabase.Type ProjectDetailResponse.HighAvailability
		SupavisorConfig.DatabaseType OrganizationResponse.HasOrioleProject
		ComputeMeta.CPUDedicated CloneBackupsResponse.TargetVolumeSizeGB ProjectClonedResponse.TargetDiskSizeGB DeploymentTarget.Provider
		Run.CheckRunID Run.Workdir`,
	"A project's database has one name, and its services are reached without TLS inside their own network.": `
		DatabaseAddress.DBName V1DatabaseSchemas.Name
		ProjectSettingsResponse.DBIPAddrConfig SupavisorConfig.IsUsingSCRAMAuth`,
	"What the operator runs is what is released.": `
		RestoreVersion.ReleaseChannel UpgradeEligibilityResponse.CurrentReleaseChannel UpgradeTarget.ReleaseChannel
		V1Database.ReleaseChannel BranchDetailResponse.ReleaseChannel V1OrganizationDetail.AllowedReleaseChannels`,
	"An upgrade stays within a major version of Postgres: nothing in the database is in its way.": `
		UpgradeEligibilityResponse.LegacyAuthCustomRoles UpgradeEligibilityResponse.ObjectsInInternalSchemas
		UpgradeEligibilityResponse.ObjectsToBeDropped UpgradeEligibilityResponse.UnsupportedExtensions
		UpgradeEligibilityResponse.ValidationErrors`,
	"People sign in at the platform's own GoTrue: there is no Auth0, and no single sign-on of an organization's.": `
		ProfileResponse.Auth0ID ProfileResponse.IsAlphaUser ProfileResponse.IsSSOUser Member.IsSSOUser Member.Metadata
		InvitationByTokenResponse.SSOMismatch SSOProvider.Enabled`,
	"The word of the contract for the one kind that there is.": `
		AuditActor.Type AvailableAddon.Name AvailableAddon.Type SelectedAddon.Type Lint.Facing RegionGroup.Code RegionGroup.Type
		SpecificRegion.Type RegisteredOAuthApp.ResponseTypes V1DNSRecord.Type V1NetworkBan.Type V1TXTRecord.Name V1TXTRecord.Value
		V2ProjectConfig.Type V1Function.Status PostgrestConfigResponse.DBAnonRole PostgrestConfigResponse.RoleClaimKey`,
	"It says that what was asked is so: where it is not, the answer is an error.": `
		PlatformStatus.Status V1CustomHostnameData.Errors V1CustomHostnameData.Messages V1CustomHostnameData.Success
		V1CustomHostnameSSL.ValidationRecords V1MessageResponse.Message BranchUpdateResponse.Message V1NetworkRestrictions.Status V1NetworkRestrictionsV2.Status
		V1SSLEnforcement.AppliedSuccessfully V2NetworkRestrictions.Status SensitivityBody.IsSensitive`,
	"The platform does none of it, or measures none: its absence is the answer.": `
		ReadOnlyResponse.OverrideEnabled ReadOnlyResponse.OverrideActiveUntil
		NotificationResponse.Meta Role.Description CreateOAuthAppResponse.ClientSecretExpiresAt TransferPreview.Info
		ResourceWarnings.AuthEmailOffender ResourceWarnings.AuthEmailSending ResourceWarnings.AuthRateLimit ResourceWarnings.DiskIO
		UsageBreakdown.GraphQL UsageBreakdown.LogDrain`,
	"What the project's Storage can do, which no setting changes.": `
		V2StorageFeatures.IcebergCatalog V2StorageFeatures.VectorBuckets`,
}
