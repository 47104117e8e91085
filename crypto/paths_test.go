package crypto_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table/embedded"
)

const (
	secretSubject = "subject@marker.example"
	secretMaster  = "marker-master-key-of-32-bytes-ok"
)

// path is a way into the package that can fail.
type path func(ctx context.Context, s *crypto.Sealer, f insideout.SealedField) error

// paths are all exported ones, each with secrets.
func paths() map[string]path {
	all := pathsOfValues()
	maps.Copy(all, pathsOfSubjects())
	maps.Copy(all, pathsOfEpochs())
	maps.Copy(all, pathsOfMasters())
	return all
}

func pathsOfValues() map[string]path {
	type sealer = *crypto.Sealer
	return map[string]path{
		"Sealer.Seal": func(ctx context.Context, s sealer, f insideout.SealedField) error {
			f.Plaintext = []byte(marker)
			bad := f
			bad.Origin.ID = ""
			return errors.Join(s.Seal(ctx, []insideout.SealedField{f}), s.Seal(ctx, []insideout.SealedField{f, bad}))
		},
		"Sealer.Open": func(ctx context.Context, s sealer, f insideout.SealedField) error {
			moved, cut := f, f
			moved.Origin.Field, cut.Ciphertext = "phone", f.Ciphertext[:20]
			return errors.Join(s.Open(ctx, []insideout.SealedField{f, moved, cut}), s.For(marker).Open(ctx, []insideout.SealedField{moved}))
		},
		"Sealer.BlindIndex": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.BlindIndex(ctx, crypto.Index{Name: "x"}, marker)
			_, bad := s.BlindIndex(ctx, crypto.Index{}, marker)
			return errors.Join(err, bad)
		},
	}
}

func pathsOfSubjects() map[string]path {
	type sealer = *crypto.Sealer
	return map[string]path{
		"Sealer.SubjectRef": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.SubjectRef(ctx, secretSubject)
			return err
		},
		"Sealer.SetState": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			return errors.Join(s.SetState(ctx, secretSubject, "x"), s.SetState(ctx, secretSubject+"?", crypto.Active), s.SetState(ctx, secretSubject, crypto.Active))
		},
		"Sealer.State": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.State(ctx, secretSubject+"?")
			return err
		},
		"Sealer.StateRef": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.StateRef(ctx, "none")
			return err
		},
		"Sealer.Readmit": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			return s.Readmit(ctx, secretSubject)
		},
		"Sealer.RotateSubject": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			return s.RotateSubject(ctx, secretSubject)
		},
	}
}

func pathsOfEpochs() map[string]path {
	type sealer = *crypto.Sealer
	return map[string]path{
		"Sealer.RotateEpoch": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.RotateEpoch(ctx)
			return err
		},
		"Sealer.RetireEpoch": func(ctx context.Context, s sealer, _ insideout.SealedField) error { return s.RetireEpoch(ctx, 1) },
		"Sealer.Epoch": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.Epoch(ctx)
			return err
		},
		"Sealer.Rewrap": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.Rewrap(ctx, "", nil)
			return err
		},
		"Sealer.Counts": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.Counts(ctx)
			return err
		},
		"Sealer.Reseal": func(ctx context.Context, s sealer, f insideout.SealedField) error {
			f.Origin.Field = "phone"
			plain := f
			plain.Ciphertext, plain.Plaintext = nil, []byte(marker)
			_, err := s.Reseal(ctx, &shelf{rows: [][]insideout.SealedField{{f, plain}}}, "", nil)
			return err
		},
		"Sealer.ShredSubject": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.ShredSubject(ctx, secretSubject)
			_, bad := s.ShredSubject(ctx, "")
			return errors.Join(err, bad)
		},
		"Sealer.ShredRef": func(ctx context.Context, s sealer, _ insideout.SealedField) error {
			_, err := s.ShredRef(ctx, "short")
			return err
		},
	}
}

func pathsOfMasters() map[string]path {
	type sealer = *crypto.Sealer
	return map[string]path{
		"LocalKey.Wrap": func(ctx context.Context, _ sealer, _ insideout.SealedField) error {
			key, err := crypto.NewLocalKey([]byte(secretMaster))
			if err == nil {
				_, err = key.Wrap(ctx, []byte(secretMaster), nil)
			}
			return err
		},
		"LocalKey.Unwrap": func(ctx context.Context, _ sealer, f insideout.SealedField) error {
			key, err := crypto.NewLocalKey([]byte(secretMaster))
			if err == nil {
				_, err = key.Unwrap(ctx, f.Ciphertext, nil)
			}
			return err
		},
		"Keys.Namespace": func(context.Context, sealer, insideout.SealedField) error {
			key, err := crypto.NewLocalKey([]byte(secretMaster))
			if err != nil {
				return err
			}
			keys, err := crypto.New(embedded.New(nil), "keys", key, nil)
			if err == nil {
				_, err = keys.Namespace("a b")
			}
			return err
		},
		"New": func(context.Context, sealer, insideout.SealedField) error {
			_, err := crypto.New(nil, "", nil, nil)
			return err
		},
		"NewLocalKey": func(context.Context, sealer, insideout.SealedField) error {
			_, err := crypto.NewLocalKey([]byte(secretMaster + "?"))
			return err
		},
		"ParseLocalKey": func(context.Context, sealer, insideout.SealedField) error {
			_, err := crypto.ParseLocalKey(secretMaster)
			return err
		},
		"ReadLocalKey": func(context.Context, sealer, insideout.SealedField) error {
			_, err := crypto.ReadLocalKey("testdata/none")
			return err
		},
		"Index.Validate":        func(context.Context, sealer, insideout.SealedField) error { return crypto.Index{Bits: 2}.Validate() },
		"Redaction.MarshalJSON": func(context.Context, sealer, insideout.SealedField) error { return nil }, // see TestRedact
	}
}

// worlds are the states of affairs in which paths are taken.
func worlds() map[string]func(t *testing.T, k *kit, s *crypto.Sealer) context.Context {
	type kitt = *kit
	return map[string]func(t *testing.T, k *kit, s *crypto.Sealer) context.Context{
		"all is well": func(t *testing.T, _ kitt, _ *crypto.Sealer) context.Context { return t.Context() },
		"no key table": func(t *testing.T, k kitt, s *crypto.Sealer) context.Context {
			k.client.fail.Store(&errOutage)
			s.Evict()
			return t.Context()
		},
		"the key table is gone": func(t *testing.T, k kitt, s *crypto.Sealer) context.Context {
			var gone error = &types.ResourceNotFoundException{}
			k.client.fail.Store(&gone)
			s.Evict()
			return t.Context()
		},
		"no master key": func(t *testing.T, k kitt, s *crypto.Sealer) context.Context {
			k.master.fail.Store(&errOutage)
			s.Evict()
			return t.Context()
		},
		"the subject is disabled": func(t *testing.T, _ kitt, s *crypto.Sealer) context.Context {
			require.NoError(t, s.SetState(t.Context(), secretSubject, crypto.Disabled))
			return t.Context()
		},
		"the subject is shredded": func(t *testing.T, _ kitt, s *crypto.Sealer) context.Context {
			_, err := s.ShredSubject(t.Context(), secretSubject)
			require.NoError(t, err)
			return t.Context()
		},
		"records are damaged": func(t *testing.T, k kitt, s *crypto.Sealer) context.Context {
			for _, it := range copyTable(t, k) {
				flip(it, "root")
				flipKey(it, "wrapped")
				restore(t, k, []map[string]types.AttributeValue{it})
			}
			s.Evict()
			return t.Context()
		},
		"the caller has left": func(t *testing.T, _ kitt, s *crypto.Sealer) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s.Evict()
			return ctx
		},
	}
}

// Every exported way into the package is taken, in every state of affairs, and no error shows a secret in any form. Every sentinel is met. A new function
// or sentinel without a case fails here.
func TestEveryPathKeepsSecrets(t *testing.T) {
	t.Parallel()
	functions, sentinels := exported(t)
	all := paths()
	for _, name := range functions {
		require.Contains(t, all, name, "it returns an error, and no case shows that the error keeps secrets")
	}
	met, said := map[string]bool{}, []any{}
	for world, enter := range worlds() {
		for name, path := range all {
			k := newKit(t)
			s := k.sealer(t, "shop")
			f := mustSeal(t, s, insideout.SealedField{
				Origin: insideout.Origin{Subject: secretSubject, Model: "customer", ID: "1", Field: "email", Class: "contact"}, Plaintext: []byte(marker),
			})[0]
			err := path(enter(t, k, s), s, f)
			if err == nil {
				continue
			}
			said = append(said, err)
			for text, sentinel := range sentinels {
				met[text] = met[text] || errors.Is(err, sentinel)
			}
			require.NotEmpty(t, err.Error(), "%s, %s", name, world)
		}
	}
	for text := range sentinels {
		require.True(t, met[text], "%s is met by no case", text)
	}
	text := printed(t, said)
	for _, secret := range []string{marker, secretSubject, secretMaster} {
		raw := []byte(secret)
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString(raw)[:20], hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), strings.Trim(fmt.Sprint(raw), "[]")} {
			require.NotContains(t, text, form)
		}
	}
}

// exported finds the functions and methods of the package that return an error, and its sentinels.
func exported(t *testing.T) (functions []string, sentinels map[string]error) {
	t.Helper()
	sentinels = map[string]error{
		"ErrAuthentication": crypto.ErrAuthentication, "ErrUnknownKey": crypto.ErrUnknownKey, "ErrKeyService": crypto.ErrKeyService,
		"ErrNoTable": crypto.ErrNoTable, "ErrRecord": crypto.ErrRecord, "ErrState": crypto.ErrState, "ErrInUse": crypto.ErrInUse, "ErrInvalid": crypto.ErrInvalid,
	}
	names, err := fs.Glob(os.DirFS("."), "*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Clean(name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if name := receiver(d); d.Name.IsExported() && fails(d) && name != "\x00" {
					functions = append(functions, name+d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && v.Names[0].IsExported() {
						require.Contains(t, sentinels, v.Names[0].Name)
					}
				}
			}
		}
	}
	require.Greater(t, len(functions), 20)
	return slices.DeleteFunc(functions, func(name string) bool { return name == "Error.Unwrap" }), sentinels
}

func fails(d *ast.FuncDecl) bool {
	if d.Type.Results == nil {
		return false
	}
	return slices.ContainsFunc(d.Type.Results.List, func(f *ast.Field) bool {
		id, ok := f.Type.(*ast.Ident)
		return ok && id.Name == "error"
	})
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	id, _ := of.(*ast.Ident)
	if id == nil || !id.IsExported() {
		return "\x00" // of an unexported type
	}
	return id.Name + "."
}
