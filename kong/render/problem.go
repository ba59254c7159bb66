package render

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	File string
	Line int // Counted from 1; 0 when the problem is the whole file's, or its line is not known.
	Text string
}

// Error says where the problem is and what it is, as "file:line: text".
func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// problems collects what is wrong in one file, so that all of it can be told at once.
type problems struct {
	file string
	list []error
}

func (p *problems) add(line int, format string, args ...any) {
	p.list = append(p.list, &Problem{File: p.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// addYAML adds what the YAML library says, which is one error for a syntax fault and a list for everything else.
func (p *problems) addYAML(err error) {
	var typeError *yaml.TypeError
	if !errors.As(err, &typeError) {
		p.addMessage(err.Error())
		return
	}
	for _, message := range typeError.Errors {
		p.addMessage(message)
	}
}

// yamlMessage takes the line out of what the YAML library says: "yaml: line 3: did not find expected key".
var yamlMessage = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)

func (p *problems) addMessage(message string) {
	parts := yamlMessage.FindStringSubmatch(message)
	line, err := strconv.Atoi(parts[1])
	if err != nil {
		line = 0
	}
	p.add(line, "%s", parts[2])
}

func (p *problems) err() error {
	return errors.Join(p.list...)
}

// problemAt is the problem of a place in a file.
func problemAt(place *tree, format string, args ...any) error {
	return &Problem{File: place.file, Line: place.line, Text: fmt.Sprintf(format, args...)}
}
