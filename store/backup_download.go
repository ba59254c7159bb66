package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"
)

// downloadFor is how long a download may take to begin.
const downloadFor = 5 * time.Minute

const downloadPurpose = "backup downloads"

// DownloadPart is what of a backup may be fetched.
type DownloadPart string

// The parts of a backup.
const (
	DownloadWhole   DownloadPart = ""
	DownloadStorage DownloadPart = "storage" // the stored files alone
)

// AllowDownload gives leave to fetch one of a project's backups from the provisioner that has it, and notes in the audit log who has
// it. What it returns ends soon, and is good for this backup alone. ErrNotFound: there is no such backup; a ConflictError: it has no
// files.
func (s *Store) AllowDownload(ctx context.Context, actor Actor, project Project, id int64) (token string, err error) {
	return write(ctx, s, actor, "allow a download", func(ctx context.Context, tx pgx.Tx) (string, AuditEntry, error) {
		backup, err := readBackup(ctx, tx, project.ID, id)
		if err != nil {
			return "", AuditEntry{}, err
		}
		if !backup.Restorable() {
			return "", AuditEntry{}, &ConflictError{"This backup cannot be downloaded: it is " + string(backup.Status) + "."}
		}
		entry := AuditEntry{
			Action: "backups.download", OrganizationID: project.OrganizationID, ProjectRef: project.Ref, Details: map[string]any{"backup": id},
		}
		return s.downloadToken(id, DownloadWhole), entry, nil
	})
}

// AllowStorageDownload gives leave to fetch the stored files of a backup. Nothing is noted of it, as nothing is of what is fetched from
// Storage itself.
func (s *Store) AllowStorageDownload(backup Backup) (token string) {
	return s.downloadToken(backup.ID, DownloadStorage)
}

// downloadToken is the time of its end and an HMAC-SHA-256 of that, the backup's id and the part.
func (s *Store) downloadToken(id int64, part DownloadPart) string {
	ends := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(downloadFor).Unix())) //nolint:gosec // after 1970
	return base64.RawURLEncoding.EncodeToString(append(ends, downloadMAC(s.sealer.master, id, part, ends)...))
}

func downloadMAC(key MasterKey, id int64, part DownloadPart, ends []byte) []byte {
	mac := hmac.New(sha256.New, key.Derive(downloadPurpose))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(id))) //nolint:gosec // ids are positive
	mac.Write(ends)
	mac.Write([]byte(part))
	return mac.Sum(nil)
}

// DownloadAllowed tells whether a token gives leave to fetch this part of a backup, now.
func (s *Store) DownloadAllowed(id int64, part DownloadPart, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 8+sha256.Size {
		return false
	}
	ends, given := raw[:8], raw[8:]
	for _, key := range s.sealer.keys() {
		if hmac.Equal(given, downloadMAC(key, id, part, ends)) {
			return s.now().Unix() < int64(binary.BigEndian.Uint64(ends)) //nolint:gosec // signed by us, as it was given out
		}
	}
	return false
}
