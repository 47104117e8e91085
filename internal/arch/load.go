package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Module is the import path of the module.
const Module = "github.com/insideout-go/insideout"

// Package is one folder with Go files.
type Package struct {
	Path  string // the folder within the module, with slashes; "" is the module's root
	Files []File
}

// File is one parsed Go file.
type File struct {
	Name  string // the path within the module, with slashes
	Test  bool   // whether the name ends in _test.go
	Lines int
	AST   *ast.File
	set   *token.FileSet
}

// Load parses every Go file of the module in the folder root. Folders named testdata, those that start with "." or "_", and
// other modules within it are left out. The error names the file that does not parse.
func Load(root string) ([]Package, error) {
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && skipped(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		source, err := os.ReadFile(name)
		sources[filepath.ToSlash(relative)] = string(source)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	return Parse(sources)
}

func skipped(folder string) bool {
	base := filepath.Base(folder)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// Parse makes packages of Go sources by their path within the module.
func Parse(sources map[string]string) ([]Package, error) {
	byPath := map[string]*Package{}
	set := token.NewFileSet()
	for _, name := range sortedKeys(sources) {
		tree, err := parser.ParseFile(set, name, sources[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("arch: %w", err)
		}
		folder := path.Dir(name)
		if folder == "." {
			folder = ""
		}
		if byPath[folder] == nil {
			byPath[folder] = &Package{Path: folder}
		}
		byPath[folder].Files = append(byPath[folder].Files, File{
			Name: name, Test: strings.HasSuffix(name, "_test.go"),
			Lines: bytes.Count([]byte(sources[name]), []byte("\n")), AST: tree, set: set,
		})
	}
	packages := make([]Package, 0, len(byPath))
	for _, folder := range sortedKeys(byPath) {
		packages = append(packages, *byPath[folder])
	}
	return packages, nil
}

// code returns the files that are no tests.
func (p Package) code() []File {
	var files []File
	for _, f := range p.Files {
		if !f.Test {
			files = append(files, f)
		}
	}
	return files
}

// command reports whether the package is a program.
func (p Package) command() bool {
	files := p.code()
	return len(files) > 0 && files[0].AST.Name.Name == "main"
}

func (p Package) String() string {
	if p.Path == "" {
		return "the root package"
	}
	return p.Path
}

// at formats a fault with its place.
func (f File) at(node ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.Name, f.set.Position(node.Pos()).Line, fmt.Sprintf(format, args...))
}

// lines counts the lines from the first to the last one of a node.
func (f File) lines(node ast.Node) int {
	return f.set.Position(node.End()).Line - f.set.Position(node.Pos()).Line + 1
}
