package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// Limits of the house rules.
const (
	MaxFunction = 60  // lines of a function, tests included
	MaxFile     = 500 // lines of a file, tests included
	MaxExported = 60  // exported names of a package; methods and fields do not count
)

// Rule is one check. It returns its faults, each with its place.
type Rule struct {
	Name  string
	Check func([]Package) []string
}

// Rules returns every check of the source. What reads other files is in [Dependencies] and [Registries].
func Rules() []Rule {
	return []Rule{
		{"imports point one way", Imports},
		{"service SDKs stay in their packages", Services},
		{"the storage engine stays behind its package", Engines},
		{"no init", Inits},
		{"functions are short", Functions},
		{"files are short", Files},
		{"exported names are documented", Documentation},
		{"packages have a comment", PackageComments},
		{"packages are small", Sizes},
		{"nothing is left open", Open},
	}
}

// Inits finds init functions: a package does nothing before it is used.
func Inits(packages []Package) []string {
	var faults []string
	eachFunction(packages, func(_ Package, f File, fn *ast.FuncDecl) {
		if fn.Recv == nil && fn.Name.Name == "init" {
			faults = append(faults, f.at(fn, "has an init function"))
		}
	})
	return faults
}

// Functions finds functions of more than [MaxFunction] lines.
func Functions(packages []Package) []string {
	var faults []string
	eachFunction(packages, func(_ Package, f File, fn *ast.FuncDecl) {
		if n := f.lines(fn); n > MaxFunction {
			faults = append(faults, f.at(fn, "function %s has %d lines, more than %d", fn.Name.Name, n, MaxFunction))
		}
	})
	return faults
}

func eachFunction(packages []Package, visit func(Package, File, *ast.FuncDecl)) {
	for _, p := range packages {
		for _, f := range p.Files {
			for _, decl := range f.AST.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok {
					visit(p, f, fn)
				}
			}
		}
	}
}

// Files finds files of more than [MaxFile] lines.
func Files(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		for _, f := range p.Files {
			if f.Lines > MaxFile {
				faults = append(faults, f.at(f.AST, "the file has %d lines, more than %d", f.Lines, MaxFile))
			}
		}
	}
	return faults
}

// Open finds comments that leave work for later.
func Open(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		for _, f := range p.Files {
			for _, group := range f.AST.Comments {
				for _, word := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"} {
					if strings.Contains(group.Text(), word) {
						faults = append(faults, f.at(group, "a comment says %s", word))
					}
				}
			}
		}
	}
	return faults
}

// PackageComments finds packages without a comment that starts with "Package NAME", and programs without any comment.
func PackageComments(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		files := p.code()
		if len(files) == 0 {
			continue
		}
		want := "Package " + files[0].AST.Name.Name + " "
		if p.command() {
			want = ""
		}
		found := false
		for _, f := range files {
			found = found || f.AST.Doc != nil && strings.HasPrefix(f.AST.Doc.Text(), want)
		}
		if !found {
			faults = append(faults, fmt.Sprintf("%v: has no comment that starts with %q", p, want))
		}
	}
	return faults
}

// larger are packages that may have more exported names, each with its reason.
var larger = map[string]int{
	"table": 80, // every operator of conditions and changes is a function: Eq, Set, Append
}

// Sizes finds packages with more than [MaxExported] exported names.
func Sizes(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		n := 0
		for _, f := range p.code() {
			for _, name := range f.exported() {
				if !name.method {
					n++
				}
			}
		}
		if limit := max(MaxExported, larger[fmt.Sprint(p)]); n > limit {
			faults = append(faults, fmt.Sprintf("%v: has %d exported names, more than %d", p, n, limit))
		}
	}
	return faults
}

// Documentation finds exported names without a comment. One comment on a group of constants or variables serves them all.
func Documentation(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		if p.command() {
			continue
		}
		for _, f := range p.code() {
			for _, name := range f.exported() {
				if !name.documented {
					faults = append(faults, f.at(name.node, "%s has no comment", name.text))
				}
			}
		}
	}
	return faults
}

type exportedName struct {
	text       string
	node       ast.Node
	documented bool
	method     bool
}

// exported lists the exported names that a file declares at its top level, and the exported methods of exported types.
func (f File) exported() []exportedName {
	var names []exportedName
	for _, decl := range f.AST.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
				method := d.Recv != nil
				names = append(names, exportedName{d.Name.Name, d, d.Doc != nil || method && known(d.Name.Name), method})
			}
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				names = append(names, exportedSpecs(d)...)
			}
		}
	}
	return names
}

// known reports whether a method is one of those whose meaning everyone knows.
func known(method string) bool {
	return method == "Error" || method == "String" || method == "Unwrap"
}

func exportedSpecs(d *ast.GenDecl) []exportedName {
	var names []exportedName
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				documented := s.Doc != nil || s.Comment != nil || !d.Lparen.IsValid() && d.Doc != nil
				names = append(names, exportedName{s.Name.Name, s, documented, false})
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					names = append(names, exportedName{name.Name, s, s.Doc != nil || s.Comment != nil || d.Doc != nil, false})
				}
			}
		}
	}
	return names
}

// receiver returns the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	for expr := fn.Recv.List[0].Type; ; {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
