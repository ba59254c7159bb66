package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

const multipartForm = "multipart/form-data"

// functionUpload is what was sent of a function: files by their paths, and what to do with them.
type functionUpload struct {
	metadata functionMetadata
	files    map[string][]byte
}

// functionMetadata is the part `metadata`. Patterns of static files are for the bundler: here, the files are there.
type functionMetadata struct {
	Name           string `json:"name"`
	EntrypointPath string `json:"entrypoint_path"`
	ImportMapPath  string `json:"import_map_path"`
	VerifyJWT      *bool  `json:"verify_jwt"`
}

// What one function can be made of.
const (
	maxFunctionFiles = 5000
	maxFunctionName  = 256 // bytes
)

// readUpload reads a form with a part `metadata` and parts `file`.
func readUpload(contentType string, body []byte) (functionUpload, error) {
	upload := functionUpload{files: map[string][]byte{}}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != multipartForm || parameters["boundary"] == "" {
		return upload, problem.BadRequest("A function is deployed as multipart/form-data.")
	}
	for form := multipart.NewReader(bytes.NewReader(body), parameters["boundary"]); ; {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return upload, nil
		}
		if err != nil {
			return upload, problem.BadRequest("The form is cut off, or not well-formed.")
		}
		if err := upload.take(part); err != nil {
			return upload, err
		}
	}
}

func (u *functionUpload) take(part *multipart.Part) error {
	content, err := io.ReadAll(part)
	if err != nil {
		return problem.BadRequest("The form is cut off, or not well-formed.")
	}
	switch part.FormName() {
	case "metadata":
		if err := json.Unmarshal(content, &u.metadata); err != nil {
			return problem.BadRequest("metadata: not the JSON that is expected here.")
		}
		return nil
	case "file":
		// Not part.FileName(), which leaves out the folders.
		_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		path, clean := store.CleanFunctionPath(parameters["filename"])
		if err != nil || !clean {
			return problem.BadRequest("file: each needs a path as its filename that stays within the function's own folder.")
		}
		if len(u.files) == maxFunctionFiles {
			return problem.BadRequest(fmt.Sprintf("file: a function can have %d files.", maxFunctionFiles))
		}
		u.files[path] = content
		return nil
	default:
		return nil // what newer clients may add
	}
}

// version is what the store keeps of the upload.
func (u *functionUpload) version(slug string) (store.NewFunctionVersion, error) {
	made := store.NewFunctionVersion{Slug: slug, Name: u.metadata.Name, VerifyJWT: u.metadata.VerifyJWT == nil || *u.metadata.VerifyJWT}
	if !functionSlug().MatchString(slug) {
		return made, problem.BadRequest("slug: expected a letter, and then up to 127 letters, digits, _ and -.")
	}
	if made.Name == "" {
		made.Name = slug
	}
	if len(made.Name) > maxFunctionName {
		return made, problem.BadRequest(fmt.Sprintf("name: expected at most %d characters.", maxFunctionName))
	}
	var err error
	if made.EntrypointPath, err = u.uploaded("entrypoint_path", u.metadata.EntrypointPath); err != nil {
		return made, err
	}
	if u.metadata.ImportMapPath != "" {
		importMap, err := u.uploaded("import_map_path", u.metadata.ImportMapPath)
		if err != nil {
			return made, err
		}
		made.ImportMapPath = &importMap
	}
	files := make([]store.FunctionFile, 0, len(u.files))
	for path, content := range u.files {
		files = append(files, store.FunctionFile{Path: path, Content: content})
	}
	made.Archive, err = store.PackFunction(files)
	return made, err
}

// uploaded returns the path of a file that the metadata names, by its path or by the URL that an earlier answer gave it.
func (u *functionUpload) uploaded(field, named string) (string, error) {
	if file, err := url.Parse(named); err == nil && file.Scheme == "file" {
		_, named, _ = strings.Cut(file.Path, sourceFolder)
	}
	path, clean := store.CleanFunctionPath(named)
	if _, sent := u.files[path]; !clean || !sent {
		return "", problem.BadRequest(field + ": no file of this path was sent.")
	}
	return path, nil
}

// writeFiles is readUpload's counterpart. The metadata name the entrypoint as the files are named: by where they are beside it, the CLI
// and Studio tell where each belongs.
func writeFiles(entrypoint string, files []store.FunctionFile) (*functionFiles, error) {
	metadata, err := json.Marshal(map[string]string{"deno2_entrypoint_path": entrypoint})
	if err != nil {
		return nil, fmt.Errorf("write the form: %w", err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	write := func(content []byte, kind string, disposition map[string]string) {
		part, failure := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {mime.FormatMediaType("form-data", disposition)}, "Content-Type": {kind},
		})
		if failure == nil {
			_, failure = part.Write(content)
		}
		err = errors.Join(err, failure)
	}
	write(metadata, "application/json", map[string]string{"name": "metadata"})
	for _, file := range files {
		write(file.Content, "application/octet-stream", map[string]string{"name": "file", "filename": file.Path})
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return nil, fmt.Errorf("write the form: %w", err)
	}
	return &functionFiles{ContentType: form.FormDataContentType(), Body: body.Bytes()}, nil
}
