package table_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every program compiles what is generic anew for each of its models: what a statement costs there is multiplied.
func TestGenericFunctionsAreThin(t *testing.T) {
	t.Parallel()
	const statements = 8
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	generic := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && isGeneric(fn) {
				generic++
				require.LessOrEqual(t, countStatements(fn.Body), statements,
					"%s: %s is generic: let it call a function that is not, with a scratch or a pointer in an any", path, fn.Name.Name)
			}
		}
	}
	require.Greater(t, generic, 20)
}

func isGeneric(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return fn.Type.TypeParams != nil
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	_, ok := of.(*ast.IndexExpr)
	return ok
}

func countStatements(body *ast.BlockStmt) (n int) {
	ast.Inspect(body, func(node ast.Node) bool {
		_, block := node.(*ast.BlockStmt)
		if _, ok := node.(ast.Stmt); ok && !block {
			n++
		}
		return true
	})
	return n
}
