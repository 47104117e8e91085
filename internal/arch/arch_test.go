package arch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/internal/arch"
)

// planted is a source with the fault that a rule must find, or with none.
type planted struct {
	name    string
	sources map[string]string
	want    []string
}

func TestRulesFindPlantedFaults(t *testing.T) {
	t.Parallel()
	faults := map[string][]planted{
		"imports point one way":                       importFaults(),
		"service SDKs stay in their packages":         serviceFaults(),
		"the storage engine stays behind its package": engineFaults(),
		"no init":                       shapeFaults("init", "p/p.go:3: has an init function", "func init() {}", "type T int\nfunc (T) init() {}"),
		"functions are short":           functionFaults(),
		"files are short":               fileFaults(),
		"exported names are documented": documentationFaults(),
		"packages have a comment":       commentFaults(),
		"packages are small":            sizeFaults(),
		"nothing is left open":          shapeFaults("comment", "p/p.go:3: a comment says "+"TO"+"DO", "// TO"+"DO: more", "// todo list of a user"),
	}
	for _, rule := range arch.Rules() {
		require.NotEmpty(t, faults[rule.Name], "no fault is planted for the rule %q", rule.Name)
		for _, tc := range faults[rule.Name] {
			t.Run(rule.Name+"/"+tc.name, func(t *testing.T) {
				t.Parallel()
				packages, err := arch.Parse(tc.sources)
				require.NoError(t, err)
				require.Equal(t, tc.want, rule.Check(packages))
			})
		}
	}
}

// shapeFaults plants a declaration with a fault, and one without.
func shapeFaults(name, want, bad, good string) []planted {
	return []planted{
		{name, map[string]string{"p/p.go": "package p\n\n" + bad + "\n"}, []string{want}},
		{"no " + name, map[string]string{"p/p.go": "package p\n\n" + good + "\n"}, nil},
	}
}

func importFaults() []planted {
	const way, std = ": imports do not point that way", ": it must do with the standard library"
	cases := []struct{ file, imported, why string }{
		{"e.go", "encoding/json", ""},
		{"e.go", "github.com/google/uuid", std},
		{"e_test.go", "github.com/stretchr/testify/require", ""},
		{"e_test.go", arch.Module, ""},
		{"e.go", arch.Module + "/idempotence", way},
		{"story_test.go", arch.Module + "/views", ""},
		{"story_test.go", arch.Module + "/examples/orders", way},
		{"idempotence/i.go", arch.Module, ""},
		{"idempotence/i_test.go", arch.Module + "/table/embedded", ""},
		{"idempotence/i_test.go", arch.Module + "/table", way},
		{"idempotence/i.go", arch.Module + "/table", way},
		{"table/t.go", arch.Module + "/idempotence", ""},
		{"table/t.go", arch.Module + "/table/internal/key", ""},
		{"table/t.go", arch.Module + "/table/embedded", way},
		{"table/t_test.go", arch.Module + "/table/embedded", ""},
		{"table/t.go", arch.Module + "/cdc", way},
		{"table/embedded/e.go", arch.Module + "/table/embedded/internal/num", ""},
		{"table/embedded/internal/engine/e.go", arch.Module + "/table/embedded/internal/num", ""},
		{"table/embedded/disk/d.go", arch.Module + "/table/embedded", ""},
		{"table/embedded/e.go", arch.Module, ": imports do not point to the root package from here"},
		{"table/embedded/e.go", arch.Module + "/table", way},
		{"cdc/c.go", arch.Module + "/table", ""},
		{"cdc/c.go", arch.Module + "/views", way},
		{"cdc/c_test.go", arch.Module + "/views", way},
		{"cdc/c.go", arch.Module + "/cdc/lake", way},
		{"cdc/lake/l.go", arch.Module, ""},
		{"cdc/lake/l.go", arch.Module + "/cdc", way},
		{"cdc/lake/l.go", "github.com/klauspost/compress/gzip", std},
		{"cdc/publish/sqs/s.go", arch.Module + "/cdc", ""},
		{"views/v.go", arch.Module + "/cdc", way},
		{"views/v_test.go", arch.Module + "/table/embedded", ""},
		{"gdpr/g.go", arch.Module + "/cdc/lake", ""},
		{"gdpr/g.go", arch.Module + "/views", way},
		{"examples/orders/main.go", arch.Module + "/cdc/lake", ""},
		{"examples/orders/main.go", arch.Module + "/examples/orders/internal/csv", ""},
		{"examples/orders/main.go", arch.Module + "/examples/other", way},
		{"cmd/insideout/main.go", arch.Module + "/table/embedded/disk", ""},
		{"cdc/c.go", arch.Module + "/cmd/insideout", way},
	}
	var all []planted
	for _, c := range cases {
		var want []string
		folder := filepath.ToSlash(filepath.Dir(c.file))
		if folder == "." {
			folder = "the root package"
		}
		if c.why != "" {
			want = []string{fmt.Sprintf("%s:3: %s imports %s%s", c.file, folder, c.imported, c.why)}
		}
		all = append(all, planted{c.file + " " + c.imported, importing(c.file, c.imported), want})
	}
	return append(all, planted{
		"unknown part",
		map[string]string{"util/u.go": "package util\n"},
		[]string{"util: has no line in the import rules of internal/arch"},
	})
}

func importing(file, imported string) map[string]string {
	return map[string]string{file: "package p\n\nimport _ \"" + imported + "\"\n"}
}

func serviceFaults() []planted {
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	return []planted{
		{"own package", importing("cdc/publish/sqs/s.go", sdk+"sqs/types"), nil},
		{"prefixed package", importing("crypto/awskms/k.go", sdk+"kms"), nil},
		{"DynamoDB everywhere", importing("table/t.go", sdk+"dynamodb/types"), nil},
		{"elsewhere", importing("cdc/c.go", sdk+"sqs"), []string{"cdc/c.go:3: cdc imports the SDK of sqs: only a package named sqs may"}},
	}
}

func engineFaults() []planted {
	const pebble, disk = "github.com/cockroachdb/pebble/v2", arch.Module + "/table/embedded/disk"
	return []planted{
		{"in the package for folders", importing("table/embedded/disk/d.go", pebble), nil},
		{"in the engine", importing("table/embedded/e.go", pebble), []string{
			"table/embedded/e.go:3: table/embedded imports " + pebble + ": only table/embedded/disk may",
		}},
		{"through the package for folders", importing("table/embedded/e.go", disk), []string{
			"table/embedded/e.go:3: table/embedded imports " + disk + ", and with it a database",
		}},
		{"in a test", importing("table/embedded/e_test.go", disk), nil},
	}
}

func functionFaults() []planted {
	body := func(n int) map[string]string {
		return map[string]string{"p/p_test.go": "package p\n\nfunc long() {\n" + strings.Repeat("\t_ = 1\n", n-2) + "}\n"}
	}
	return []planted{
		{"60 lines", body(60), nil},
		{"61 lines", body(61), []string{"p/p_test.go:3: function long has 61 lines, more than 60"}},
	}
}

func fileFaults() []planted {
	file := func(n int) map[string]string {
		return map[string]string{"p/p.go": "package p\n" + strings.Repeat("\n", n-1)}
	}
	return []planted{
		{"500 lines", file(500), nil},
		{"501 lines", file(501), []string{"p/p.go:1: the file has 501 lines, more than 500"}},
	}
}

func documentationFaults() []planted {
	at := func(name, source string, want ...string) planted {
		return planted{name, map[string]string{"p/p.go": "package p\n\n" + source + "\n"}, want}
	}
	return []planted{
		at("function", "func F() {}", "p/p.go:3: F has no comment"),
		at("documented function", "// F is.\nfunc F() {}"),
		at("type", "type T int", "p/p.go:3: T has no comment"),
		at("types in a group", "// Group.\ntype (\n\tT int\n\t// U is.\n\tU int\n)", "p/p.go:5: T has no comment"),
		at("method", "// T is.\ntype T[K any] struct{}\n\nfunc (t *T[K]) M() {}", "p/p.go:6: M has no comment"),
		at("method that everyone knows", "// T is.\ntype T int\n\nfunc (T) Error() string { return \"\" }"),
		at("function named like one", "func Error() {}", "p/p.go:3: Error has no comment"),
		at("method of a hidden type", "type t int\n\nfunc (t) M() {}"),
		at("constants", "const (\n\tA = 1\n\tB = 2 // B is.\n)", "p/p.go:4: A has no comment"),
		at("constants with one comment", "// All of them.\nconst (\n\tA = 1\n\tB = 2\n)"),
		at("hidden names", "func f() {}\n\ntype t int\n\nvar v int"),
		{"program", map[string]string{"cmd/p/p.go": "package main\n\nfunc F() {}\n"}, nil},
		{"test", map[string]string{"p/p_test.go": "package p\n\nfunc F() {}\n"}, nil},
	}
}

func commentFaults() []planted {
	return []planted{
		{"none", map[string]string{"p/p.go": "package p\n"}, []string{`p: has no comment that starts with "Package p "`}},
		{"another", map[string]string{"p/p.go": "// Helpers.\npackage p\n"}, []string{`p: has no comment that starts with "Package p "`}},
		{"in one file", map[string]string{"p/a.go": "package p\n", "p/p.go": "// Package p is.\npackage p\n"}, nil},
		{"program without", map[string]string{"cmd/p/p.go": "package main\n"}, []string{`cmd/p: has no comment that starts with ""`}},
		{"program", map[string]string{"cmd/p/p.go": "// The insideout command.\npackage main\n"}, nil},
	}
}

func sizeFaults() []planted {
	names := func(n int) map[string]string {
		var b strings.Builder
		b.WriteString("package p\n\ntype T int\n\nfunc (T) M() {}\n")
		for i := range n - 1 {
			fmt.Fprintf(&b, "const C%d = 0\n", i)
		}
		return map[string]string{"p/p.go": b.String(), "p/p_test.go": "package p\n\nfunc More() {}\n"}
	}
	return []planted{
		{"60 names", names(60), nil},
		{"61 names", names(61), []string{"p: has 61 exported names, more than 60"}},
	}
}

func TestDependenciesReadsGoMod(t *testing.T) {
	t.Parallel()
	const text = "module m\n\ngo 1.26\n\nrequire z.org/z v1.0.0\n\nrequire (\n\tb.org/b v1.2.3\n\tc.org/c v1.0.0 // indirect\n\ta.org/a/v2 v2.0.0\n)\n"
	require.Equal(t, []string{"a.org/a/v2", "b.org/b", "z.org/z"}, arch.Dependencies(text))
}

func TestRegistriesFindsHosts(t *testing.T) {
	t.Parallel()
	faults := arch.Registries(map[string]string{
		"a.sh": "echo\nGO" + "PROXY=https://proxy." + "golang.org go test\n", "b.md": "https://pkg.go.dev/golang.org/x/sync\n",
	})
	require.Equal(t, []string{
		"a.sh:2: names a package registry (proxy." + "golang.org)", "a.sh:2: names a package registry (go" + "proxy=)",
	}, faults)
}

func TestLoadLeavesOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n", "a.go": "package a\n", "sub/b.go": "package b\n", "sub/b_test.go": "package b_test\n",
		"testdata/c.go": "broken", ".hidden/d.go": "broken", "_old/e.go": "broken", "tools/go.mod": "module n\n", "tools/f.go": "broken",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	packages, err := arch.Load(dir)
	require.NoError(t, err)
	require.Len(t, packages, 2)
	require.Equal(t, "", packages[0].Path)
	require.Equal(t, "sub", packages[1].Path)
	require.Len(t, packages[1].Files, 2)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.go"), []byte("broken"), 0o600))
	_, err = arch.Load(dir)
	require.ErrorContains(t, err, "bad.go:1:1")
}
