package kongtest

// phase is a set of Kong's phases; while a request runs, it is one of them.
type phase uint8

// The phases in which plugins run. Go plugins have no header filter; the built-in ones do.
const (
	rewrite phase = 1 << iota
	access
	response
	headerFilter
	logging
)

// String is the phase's name in the protocol.
func (p phase) String() string {
	switch p {
	case rewrite:
		return "rewrite"
	case access:
		return "access"
	case response:
		return "response"
	case headerFilter:
		return "header_filter"
	case logging:
		return "log"
	default:
		return "several phases"
	}
}
