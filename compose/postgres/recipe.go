package postgres

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// files are what goes into the image (image), and the hooks that put it there (build).
//
//go:embed image build
var files embed.FS

// majors tells which Postgres each Debian release has: https://packages.debian.org/postgresql
var majors = map[string]string{"bookworm": "15", "trixie": "17"}

// recipe is all that an image is made from.
type recipe struct {
	release string   // Debian's codename
	major   string   // Postgres' major version
	version string   // the package's version, as in 15.18-0+deb12u1
	sources []string // apt's one-line format
}

// newRecipe takes Debian's release, its mirrors and the package's version from this machine's own apt.
func newRecipe(ctx context.Context) (*recipe, error) {
	release, err := debianRelease()
	if err != nil {
		return nil, err
	}
	r := &recipe{release: release, major: majors[release]}
	if r.major == "" {
		return nil, fmt.Errorf("no Postgres is known for Debian %q", release)
	}
	if r.version, err = candidate(ctx, r.packageName()); err != nil {
		return nil, err
	}
	if r.sources, err = debianSources(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *recipe) packageName() string { return "postgresql-" + r.major }
func (r *recipe) tag() string         { return r.major + "-debian" }

// hash changes with whatever would make another image. The mirrors are left out: they all have the same packages.
func (r *recipe) hash() string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %q %q", r.version, r.arguments(""), r.settings())
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		_, _ = fmt.Fprintf(sum, "%q %q", name, content)
		return err
	})
	if err != nil { // the files are in this program
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// arguments are mmdebstrap's, with our files in folder. What the image leaves out is documentation, translations, and
// LLVM, which only Postgres' JIT wants and which is half as large as all the rest.
func (r *recipe) arguments(folder string) []string {
	arguments := []string{
		"--variant=essential",
		"--include=" + r.packageName(),
		"--format=tar",
		"--skip=cleanup/run", // it would take the folder of Postgres' socket away
		`--aptopt=APT::Install-Recommends "false"`,
		`--aptopt=Acquire::Languages "none"`,
		"--essential-hook=" + path.Join(folder, "build/account.sh"),
		"--customize-hook=" + path.Join(folder, "build/install.sh"),
	}
	for _, pattern := range []string{
		"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*",
		"/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*",
	} {
		arguments = append(arguments, "--dpkgopt=path-exclude="+pattern)
	}
	// The release, the tar to standard output, and the mirrors from standard input.
	return append(arguments, r.release, "-", "-")
}

// settings are the image's, as instructions of a Dockerfile. Docker's import takes no STOPSIGNAL: whoever runs the image
// has to ask for SIGINT, Postgres' fast shutdown, because SIGTERM would wait until every client has gone.
func (r *recipe) settings() []string {
	return []string{
		`ENTRYPOINT ["/usr/local/share/plurabase-postgres/entrypoint.sh"]`,
		`CMD ["postgres"]`,
		"ENV PATH=/usr/lib/postgresql/" + r.major + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV LANG=C.UTF-8",
		"ENV PG_MAJOR=" + r.major,
		"ENV PGDATA=/var/lib/postgresql/data",
		"VOLUME /var/lib/postgresql/data",
		"EXPOSE 5432",
		"USER postgres",
		"HEALTHCHECK --interval=2s --timeout=2s --retries=10 CMD pg_isready -U postgres -h localhost",
	}
}

func (r *recipe) changes() []string {
	return append(r.settings(), "LABEL "+labelRecipe+"="+r.hash())
}

// unpack writes our files to a new folder, for mmdebstrap's hooks. In a user namespace it is somebody else who reads
// them: nothing in them is secret.
func unpack() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "plurabase-postgres-image-"); err != nil {
		return "", err
	}
	err = os.CopyFS(folder, files) // as 0666, and folders as 0777, less the umask
	for _, name := range []string{".", "image", "build", "build/account.sh", "build/install.sh"} {
		if err == nil {
			err = os.Chmod(filepath.Join(folder, name), 0o755) //nolint:gosec // see above
		}
	}
	if err != nil {
		_ = os.RemoveAll(folder)
		return "", err
	}
	return folder, nil
}

// oneLineEach ends every line, as a sources.list needs it.
func oneLineEach(lines []string) string { return strings.Join(lines, "\n") + "\n" }
