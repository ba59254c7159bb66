package instance

import "strings"

// studioRegions are the regions that Studio and the CLI have compiled in, by code, with the name that Studio's wizard sends
// (packages/shared-data/regions.ts, and the enums of POST /v1/projects).
var studioRegions = []struct{ code, name string }{
	{"us-west-1", "West US (North California)"},
	{"us-west-2", "West US (Oregon)"},
	{"us-east-1", "East US (North Virginia)"},
	{"us-east-2", "East US (Ohio)"},
	{"ca-central-1", "Canada (Central)"},
	{"eu-west-1", "West EU (Ireland)"},
	{"eu-west-2", "West Europe (London)"},
	{"eu-west-3", "West EU (Paris)"},
	{"eu-central-1", "Central EU (Frankfurt)"},
	{"eu-central-2", "Central Europe (Zurich)"},
	{"eu-north-1", "North EU (Stockholm)"},
	{"ap-east-1", "East Asia (Hong Kong)"},
	{"ap-south-1", "South Asia (Mumbai)"},
	{"ap-southeast-1", "Southeast Asia (Singapore)"},
	{"ap-northeast-1", "Northeast Asia (Tokyo)"},
	{"ap-northeast-2", "Northeast Asia (Seoul)"},
	{"ap-southeast-2", "Oceania (Sydney)"},
	{"sa-east-1", "South America (São Paulo)"},
}

// studioGroups are what Studio calls general regions, by code, with the names that it has for them.
var studioGroups = []struct {
	code  string
	names []string
}{
	{"americas", []string{"Americas"}},
	{"emea", []string{"Europe", "EMEA"}},
	{"apac", []string{"Asia-Pacific", "APAC"}},
}

// flyRegion is the one that Studio offers of Fly.
const flyRegion, flyRegionName = "sin", "Singapore"

// Codes are the codes of Studio's regions.
func Codes() []string {
	codes := make([]string, len(studioRegions))
	for i, region := range studioRegions {
		codes[i] = region.code
	}
	return codes
}

// IsCode tells whether Studio has a region of that code.
func IsCode(text string) bool {
	for _, region := range studioRegions {
		if region.code == text {
			return true
		}
	}
	return false
}

// StudioRegion finds the code of the region that an unpatched Studio or CLI means by a name or a code of its own.
func StudioRegion(text string) (code string, known bool) {
	for _, region := range studioRegions {
		if strings.EqualFold(text, region.code) || strings.EqualFold(text, region.name) {
			return region.code, true
		}
	}
	for _, group := range studioGroups {
		for _, name := range append([]string{group.code}, group.names...) {
			if strings.EqualFold(text, name) {
				return group.code, true
			}
		}
	}
	return flyRegion, strings.EqualFold(text, flyRegion) || strings.EqualFold(text, flyRegionName)
}
