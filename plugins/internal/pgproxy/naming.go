package pgproxy

import (
	"strings"

	"github.com/plurabase/plurabase/store"
)

// takeRefs takes out of a startup message's parameters what names a project, as upstream's pooler has it: what follows the
// last dot of the user, and `reference=` in the options. SCRAM does not care: the server goes by the user of the message alone.
func takeRefs(parameters map[string]string) []store.Ref {
	var refs []store.Ref
	user := parameters["user"]
	if at := strings.LastIndexByte(user, '.'); at >= 0 {
		if ref, ok := store.ParseRef(user[at+1:]); ok { // a user's name may have a dot in it
			refs = append(refs, ref)
			if parameters["database"] == user { // which libpq makes of the user where none is given
				parameters["database"] = user[:at]
			}
			parameters["user"] = user[:at]
		}
	}
	if options, named := takeReferences(parameters["options"]); len(named) > 0 {
		refs = append(refs, named...)
		if parameters["options"] = options; options == "" {
			delete(parameters, "options")
		}
	}
	return refs
}

const reference = "reference="

// takeReferences takes `reference=<ref>` out of options, as a word, in a list with commas, and as Postgres has its options: `-c
// reference=<ref>` or `--reference=<ref>`.
func takeReferences(options string) (rest string, refs []store.Ref) {
	var kept []string
	for word := range strings.FieldsSeq(options) {
		after := len(kept) > 0 && kept[len(kept)-1] == "-c"
		setting, joined := strings.CutPrefix(word, "--")
		if !joined {
			setting, joined = strings.CutPrefix(word, "-c")
		}
		if ref, ok := strings.CutPrefix(setting, reference); ok && (joined || after) {
			refs = append(refs, store.Ref(ref))
			if after {
				kept = kept[:len(kept)-1]
			}
			continue
		}
		if !after && !strings.HasPrefix(word, "-") {
			var named []store.Ref
			if word, named = takeFromList(word); len(named) > 0 {
				refs = append(refs, named...)
			}
		}
		if word != "" {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " "), refs
}

func takeFromList(list string) (rest string, refs []store.Ref) {
	var kept []string
	for entry := range strings.SplitSeq(list, ",") {
		if ref, ok := strings.CutPrefix(entry, reference); ok {
			refs = append(refs, store.Ref(ref))
			continue
		}
		kept = append(kept, entry)
	}
	return strings.Join(kept, ","), refs
}
