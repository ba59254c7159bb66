package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/plurabase/plurabase/store"
)

// The files of a backup.
const (
	databaseFile  = "database.dump.zst" // pg_dump's custom format
	rolesFile     = "roles.sql.zst"     // pg_dumpall's roles, without passwords
	inventoryFile = "inventory.txt.zst" // what the database had, a line each
	storageFile   = "storage.tar.zst"
	manifestFile  = "manifest.json"
)

// Only the provisioner's own user may read what projects keep.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// partial is what the name of a folder ends with that is not complete.
const partial = ".partial"

// errDamaged says that a backup's files are not what was written.
var errDamaged = errors.New("the backup is damaged")

// manifest says what a backup consists of.
type manifest struct {
	Version    int              `json:"version"`
	Backup     int64            `json:"backup"`
	Project    store.Ref        `json:"project"`
	Kind       store.BackupKind `json:"kind"`
	CreatedAt  time.Time        `json:"created_at"`
	Image      string           `json:"image"` // of the database
	DBVersion  string           `json:"db_version"`
	Files      []file           `json:"files"`
	HasStorage bool             `json:"has_storage"`
}

// file is one of a backup's files, as it is kept.
type file struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func location(ref store.Ref, id int64) string { return path.Join(string(ref), number(id)) }

// folder is a backup that is being written. It becomes one when it is finished; until then its name says that it is none.
type folder struct {
	root     string // the backup directory
	location string
	files    []file
}

// newFolder begins a backup, in place of what an interrupted try may have left.
func newFolder(root, location string) (*folder, error) {
	f := &folder{root: root, location: location}
	if err := os.RemoveAll(f.path("")); err != nil {
		return nil, fmt.Errorf("remove what is left of an earlier try: %w", err)
	}
	if err := os.MkdirAll(f.path(""), folderMode); err != nil {
		return nil, fmt.Errorf("make the backup's folder: %w", err)
	}
	return f, nil
}

func (f *folder) path(name string) string { return filepath.Join(f.root, f.location+partial, name) }

// write compresses what fill writes into a file, and computes its digest on the way.
func (f *folder) write(name string, fill func(io.Writer) error) error {
	return f.writePlain(name, func(out io.Writer) error {
		compressed, err := zstd.NewWriter(out)
		if err != nil {
			return fmt.Errorf("prepare the compression: %w", err)
		}
		if err := fill(compressed); err != nil {
			_ = compressed.Close()
			return err
		}
		return compressed.Close()
	})
}

func (f *folder) writePlain(name string, fill func(io.Writer) error) (err error) {
	out, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	digest := &counter{hash: sha256.New()}
	if err := fill(io.MultiWriter(out, digest)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f.files = append(f.files, file{Name: name, Bytes: digest.bytes, SHA256: hex.EncodeToString(digest.hash.Sum(nil))})
	return nil
}

// counter counts and digests what is written to it.
type counter struct {
	hash  hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.hash.Write(p)
}

// finish writes the manifest and gives the folder its name.
func (f *folder) finish(m manifest) (store.BackupKept, error) {
	m.Files = f.files
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return store.BackupKept{}, fmt.Errorf("print the manifest: %w", err)
	}
	err = f.writePlain(manifestFile, func(out io.Writer) error {
		_, err := out.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return store.BackupKept{}, err
	}
	final := filepath.Join(f.root, f.location)
	if err := errors.Join(syncFolder(f.path("")), os.Rename(f.path(""), final), syncFolder(filepath.Dir(final))); err != nil {
		return store.BackupKept{}, fmt.Errorf("keep the backup: %w", err)
	}
	kept, err := open(f.root, f.location)
	return kept.summary(), err
}

// syncFolder makes the names in a folder last.
func syncFolder(name string) error {
	opened, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// kept is a finished backup.
type kept struct {
	root, location string
	manifest       manifest
	checksum       [sha256.Size]byte
}

// open reads a finished backup's manifest. fs.ErrNotExist: there is none.
func open(root, location string) (kept, error) {
	k := kept{root: root, location: location}
	if !filepath.IsLocal(location) {
		return k, fmt.Errorf("%w: its place is %q", errDamaged, location)
	}
	text, err := os.ReadFile(k.path(manifestFile))
	if err != nil {
		return k, err
	}
	k.checksum = sha256.Sum256(text)
	if err := json.Unmarshal(text, &k.manifest); err != nil {
		return k, fmt.Errorf("%w: its manifest cannot be read: %w", errDamaged, err)
	}
	return k, nil
}

func (k kept) path(name string) string { return filepath.Join(k.root, k.location, name) }

func (k kept) summary() store.BackupKept {
	summary := store.BackupKept{Location: k.location, Checksum: k.checksum[:], DBVersion: k.manifest.DBVersion}
	for _, one := range k.manifest.Files {
		summary.Bytes += one.Bytes
	}
	return summary
}

// openChecked opens a finished backup and reads all of it: a damaged one is refused before anything is done with it.
func openChecked(root string, backup store.Backup) (kept, error) {
	k, err := open(root, deref(backup.Location))
	if errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("%w: it is not in %s", errDamaged, root)
	}
	if err != nil {
		return k, err
	}
	if !bytes.Equal(k.checksum[:], backup.Checksum) {
		return k, fmt.Errorf("%w: its manifest has another SHA-256 than when it was made", errDamaged)
	}
	return k, k.check()
}

func (k kept) check() error {
	for _, one := range k.manifest.Files {
		digest := &counter{hash: sha256.New()}
		if err := k.copyPlain(one.Name, digest); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if hex.EncodeToString(digest.hash.Sum(nil)) != one.SHA256 {
			return fmt.Errorf("%w: %s has another SHA-256 than when it was made", errDamaged, one.Name)
		}
	}
	return nil
}

func (k kept) copyPlain(name string, out io.Writer) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fmt.Errorf("%q is no name of a file", name)
	}
	in, err := os.Open(k.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	_, err = io.Copy(out, in)
	return err
}

// read hands a file's content to use.
func (k kept) read(name string, use func(io.Reader) error) error {
	in, err := os.Open(k.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	content, err := zstd.NewReader(in)
	if err != nil {
		return fmt.Errorf("prepare the decompression: %w", err)
	}
	defer content.Close()
	return use(content)
}
