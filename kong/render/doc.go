// Package render makes Kong's one declarative configuration of upstream's file and the platform's (Render), and reads one of
// Kong's files as types (Load), putting the environment's variables into its values.
//
// A variable is written ${NAME} and stands inside a value. It is replaced after the YAML was parsed, so what a variable
// holds can never add a key, a list entry or a document; and it is always text, so a variable that holds "null" or "17"
// is not null or a number; only where this package knows that a number or a boolean belongs, it reads one from the text.
// Nothing is executed, and what was put in is not looked at again. Between [ ] and { } a variable has to be quoted, as
// YAML itself gives braces a meaning there.
//
// Every problem of a file comes back in one error, each as a [Problem] with its file and, where the YAML library tells
// it, its line. Problems never quote what a variable holds: it may be a secret.
package render
