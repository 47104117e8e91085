package arch

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// direction says what a part of the module may import of the module, besides the internal packages of its own folder.
type direction struct {
	part     string   // a folder and everything below it that has no line of its own
	may      []string // folders; with "/..." what lies below them too
	root     bool     // whether it may import the root package
	standard bool     // whether it must do without modules of others
}

// directions is the map of the house: imports point one way.
func directions() []direction {
	return []direction{
		{part: "", standard: true, may: []string{"internal/jsonplan"}},
		{part: "idempotence", root: true, may: []string{"internal/backoff"}},
		{part: "table", root: true, may: []string{"idempotence", "internal/backoff"}},
		{part: "table/embedded", may: []string{"table/embedded/..."}},
		{part: "table/tabletest", root: true, may: []string{"table", "table/embedded/...", "idempotence"}},
		{part: "crypto", root: true, may: []string{"crypto/..."}},
		{part: "cdc", root: true, may: []string{"table", "crypto", "idempotence", "internal/backoff", "internal/panics"}},
		{part: "cdc/lake", root: true, standard: true},
		{part: "cdc/lake/laketest", root: true, may: []string{"cdc/lake"}},
		{part: "cdc/lake/s3", root: true, may: []string{"cdc/lake", "cdc/lake/laketest"}},
		{part: "cdc/publish", root: true, may: []string{"cdc", "internal/backoff"}},
		{part: "cdc/control", root: true, may: []string{"cdc", "table", "crypto", "idempotence"}},
		{part: "views", root: true, may: []string{"table", "crypto", "idempotence", "internal/backoff", "internal/jsonplan", "internal/panics"}},
		{part: "views/emf", root: true, may: []string{"views", "table", "idempotence"}},
		{part: "views/kinesis", root: true, may: []string{"views", "views/internal/poll", "table", "idempotence", "internal/backoff"}},
		{part: "views/otel", root: true, may: []string{"views", "table", "idempotence"}},
		{part: "views/sqs", root: true, may: []string{"views", "views/internal/poll"}},
		{part: "gdpr", root: true, may: []string{"table", "crypto", "cdc/lake", "idempotence", "internal/backoff"}},
		{part: "cmd", root: true, may: anything()},
		{part: "examples", root: true, may: anything()},
		{part: "internal", root: true},
		{part: "internal/backoff", standard: true},
		{part: "internal/cpu", standard: true},
		{part: "internal/jsonplan", standard: true},
		{part: "internal/panics", standard: true},
		{part: "internal/interop", root: true},
	}
}

func anything() []string {
	return []string{"idempotence", "table/...", "crypto/...", "cdc/...", "views/...", "gdpr/...", "internal/..."}
}

// testMay is what the tests of a part may import besides: an engine to run on. The tests of the root package, which nothing
// else can hold, tell the story of all packages together, and those beside the JavaScript library go the same ways.
func testMay(part string) []string {
	switch part {
	case "", "internal/interop":
		return anything()
	case "cdc/lake", "internal":
		return nil
	case "views/emf", "views/otel", "views/sqs": // a listener needs a table
		return []string{"table", "table/embedded/..."}
	default:
		return []string{"table/embedded/...", "table/tabletest"}
	}
}

// Imports finds imports that point the wrong way, parts of the module that have no rule, and modules of others in a part
// that must do without.
func Imports(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		rule, ok := ruleFor(p.Path)
		if !ok {
			faults = append(faults, p.Path+": has no line in the import rules of internal/arch")
			continue
		}
		for _, f := range p.Files {
			imports := f.imports()
			for _, imported := range sortedKeys(imports) {
				if why := rule.refuses(p.Path, imported, f.Test); why != "" {
					faults = append(faults, f.at(imports[imported], "%v imports %s: %s", p, imported, why))
				}
			}
		}
	}
	return faults
}

// imports returns the import paths of a file.
func (f File) imports() map[string]*ast.ImportSpec {
	all := map[string]*ast.ImportSpec{}
	for _, spec := range f.AST.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			all[imported] = spec
		}
	}
	return all
}

// ruleFor returns the line for a folder: its own, or that of the nearest folder above it.
func ruleFor(folder string) (direction, bool) {
	lines := directions()
	for at := folder; ; at = path.Dir(at) {
		if at == "." {
			return direction{}, false
		}
		if i := slices.IndexFunc(lines, func(d direction) bool { return d.part == at }); i >= 0 {
			return lines[i], true
		}
	}
}

// refuses tells why a package must not import a path, or nothing if it may.
func (d direction) refuses(from, imported string, test bool) string {
	inside, ours := strings.CutPrefix(imported, Module)
	inside = strings.TrimPrefix(inside, "/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case !ours && d.standard && !test && strings.Contains(first, "."):
		return "it must do with the standard library"
	case !ours, inside == from && test:
		return ""
	case inside == "":
		if d.root {
			return ""
		}
		return "imports do not point to the root package from here"
	case d.owns(from, inside):
		return ""
	}
	may := d.may
	if test {
		may = append(slices.Concat(may, testMay(d.part)), "internal/cpu")
	}
	for _, allowed := range may {
		if folder, all := strings.CutSuffix(allowed, "/..."); inside == folder || all && below(inside, folder) {
			return ""
		}
	}
	return "imports do not point that way"
}

// owns reports whether a folder belongs to the importing package's own part: the internal packages of the part, and for a
// program or an example whatever lies in its folder, but nothing of its neighbours.
func (d direction) owns(from, inside string) bool {
	if d.part == "cmd" || d.part == "examples" {
		program, _, _ := strings.Cut(strings.TrimPrefix(from, d.part+"/"), "/")
		return below(inside, d.part+"/"+program)
	}
	return d.part != "" && below(inside, d.part+"/internal")
}

func below(folder, above string) bool {
	return folder == above || strings.HasPrefix(folder, above+"/")
}

// Services finds AWS service SDKs, other than DynamoDB's own, outside of the package that is named after the service.
func Services(packages []Package) []string {
	const services = "github.com/aws/aws-sdk-go-v2/service/"
	var faults []string
	eachImport(packages, func(p Package, f File, imported string, spec *ast.ImportSpec) {
		rest, ok := strings.CutPrefix(imported, services)
		service, _, _ := strings.Cut(rest, "/")
		if !ok || service == "dynamodb" || service == "dynamodbstreams" {
			return
		}
		if name := path.Base(p.Path); name != service && name != "aws"+service {
			faults = append(faults, f.at(spec, "%v imports the SDK of %s: only a package named %s may", p, service, service))
		}
	})
	return faults
}

// Engines finds the storage engine outside of the package for folders: a user's tests must not compile a database.
func Engines(packages []Package) []string {
	const disk = "table/embedded/disk"
	var faults []string
	eachImport(packages, func(p Package, f File, imported string, spec *ast.ImportSpec) {
		if strings.HasPrefix(imported, "github.com/cockroachdb/") && !below(p.Path, disk) {
			faults = append(faults, f.at(spec, "%v imports %s: only %s may", p, imported, disk))
		}
		if imported == Module+"/"+disk && below(p.Path, "table") && !below(p.Path, disk) && !f.Test {
			faults = append(faults, f.at(spec, "%v imports %s, and with it a database", p, imported))
		}
	})
	return faults
}

func eachImport(packages []Package, visit func(Package, File, string, *ast.ImportSpec)) {
	for _, p := range packages {
		for _, f := range p.Files {
			imports := f.imports()
			for _, imported := range sortedKeys(imports) {
				visit(p, f, imported, imports[imported])
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
