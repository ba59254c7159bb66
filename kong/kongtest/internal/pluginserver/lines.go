package pluginserver

import (
	"bytes"
	"strings"
)

// maxLine is where a line that does not end is cut, in bytes.
const maxLine = 64 << 10

// lineWriter calls a function for every line that is written to it.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 && len(w.rest) < maxLine {
			return len(data), nil
		}
		if end < 0 {
			end = len(w.rest) - 1
		}
		w.emit(w.rest[:end+1])
		w.rest = w.rest[end+1:]
	}
}

// flush gives out a last line without an end.
func (w *lineWriter) flush() {
	w.emit(w.rest)
	w.rest = nil
}

func (w *lineWriter) emit(line []byte) {
	if text := strings.TrimRight(string(line), "\r\n"); text != "" {
		w.line(text)
	}
}
