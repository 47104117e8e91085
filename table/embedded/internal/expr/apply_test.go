package expr_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// Labels and names of the other expressions.
func TestParameterNames(t *testing.T) {
	t.Parallel()
	_, err := expr.ParseCondition("", nil)
	require.EqualError(t, err, "Invalid ConditionExpression: The expression can not be empty;")
	var e *expr.Error
	require.ErrorAs(t, err, &e)
	_, err = expr.ParseCondition("a = :s", nil)
	require.EqualError(t, err, "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :s")
	c, err := expr.ParseCondition("a = :s AND size(b.c) > c[1]", newEnv(t, nil, s("")))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, c.Names())
	p, err := expr.ParseProjection("b.c, a, b.d", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a"}, p.Names())
}

// A condition on an item that does not exist.
func TestMatchMissingItem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"attribute_not_exists(pk)": true, "attribute_exists(pk)": false, "pk = :s": false, "pk <> :s": true,
		"attribute_not_exists(v) OR v < :s": true,
	} {
		var env *expr.Env
		if strings.Contains(text, ":s") {
			env = newEnv(t, nil, s("x"))
		}
		c, err := expr.ParseCondition(text, env)
		require.NoError(t, err)
		got, err := c.Match(nil)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	match, err := (*expr.Condition)(nil).Match(nil)
	require.NoError(t, err)
	require.True(t, match)
}

func TestSizeCountsUTF16(t *testing.T) {
	t.Parallel()
	c, err := expr.ParseCondition("size(a) = :n", newEnv(t, nil, map[string]attr.Value{":n": attr.N(num.FromInt(5))}))
	require.NoError(t, err)
	match, _ := c.Match(attr.Item{"a": attr.S("aé€😀")})
	require.True(t, match)
}

func parseUpdate(t testing.TB, text string) *expr.Update {
	t.Helper()
	values := map[string]attr.Value{}
	for name, v := range parseItem(t, answersValues) {
		if strings.Contains(text, name) {
			values[name] = v
		}
	}
	if len(values) == 0 {
		values = nil
	}
	u, err := expr.ParseUpdate(text, newEnv(t, nil, values))
	require.NoError(t, err)
	return u
}

func TestTouched(t *testing.T) {
	t.Parallel()
	item := parseItem(t, answersItem)
	for _, c := range []struct{ text, old, new string }{
		{"SET a = :n, zz = :n", `{"a":{"S":"x"}}`, `{"a":{"N":"1"},"zz":{"N":"1"}}`},
		{"REMOVE a", `{"a":{"S":"x"}}`, `{}`},
		{"SET m.x = :s", `{"m":{"M":{"x":{"N":"1"}}}}`, `{"m":{"M":{"x":{"S":"x"}}}}`},
		{"SET l[1] = :s, m.l[0] = :n2", `{"l":{"L":[{"S":"l1"}]},"m":{"M":{"l":{"L":[{"N":"1"}]}}}}`, `{"l":{"L":[{"S":"x"}]},"m":{"M":{"l":{"L":[{"N":"2"}]}}}}`},
		{"SET l[9] = :s", `{}`, `{}`}, // as in DynamoDB: the element is not at that index
		{"REMOVE l[1]", `{"l":{"L":[{"S":"l1"}]}}`, `{"l":{"L":[{"S":"l2"}]}}`},
		{"REMOVE l[1], l[7]", `{"l":{"L":[{"S":"l1"}]}}`, `{"l":{"L":[{"S":"l2"}]}}`},
		{"SET m.q = :n ADD n :n DELETE ss :ss", `{"n":{"N":"5"},"ss":{"SS":["a","b"]}}`, `{"m":{"M":{"q":{"N":"1"}}},"n":{"N":"6"},"ss":{"SS":["b"]}}`},
	} {
		u := parseUpdate(t, c.text)
		next, err := u.Apply(item)
		require.NoError(t, err)
		require.Equal(t, c.old, formatItem(u.Touched(item)), c.text)
		require.Equal(t, c.new, formatItem(u.Touched(next)), c.text)
	}
}

func TestUpdateOfMissingItem(t *testing.T) {
	t.Parallel()
	key := attr.Item{"pk": attr.S("p")}
	for _, c := range []struct {
		text, want string
		creates    bool
	}{
		{"SET a = pk", `{"a":{"S":"p"},"pk":{"S":"p"}}`, true},
		{"ADD a :n", `{"a":{"N":"1"},"pk":{"S":"p"}}`, true},
		{"REMOVE a", `{"pk":{"S":"p"}}`, false},
		{"REMOVE a.b, c[0].d", `{"pk":{"S":"p"}}`, false},
		{"DELETE a :ss", `{"pk":{"S":"p"}}`, false},
		{"REMOVE a.b SET c = :n", `{"c":{"N":"1"},"pk":{"S":"p"}}`, true},
		{"REMOVE a.b SET a.c = :n", "! The document path provided in the update expression is invalid for update", true},
		{"SET a = zz", "! The provided expression refers to an attribute that does not exist in the item", true},
	} {
		u := parseUpdate(t, c.text)
		got := ""
		if next, err := u.ApplyMissing(key); err != nil {
			got = "! " + err.Error()
		} else {
			got = formatItem(next)
		}
		require.Equal(t, c.want, got, c.text)
		require.Equal(t, c.creates, u.Creates(), c.text)
	}
}

func TestRefuseKeys(t *testing.T) {
	t.Parallel()
	const refused = "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
	for _, text := range []string{"SET pk = :s", "SET a = :s, pk.x = :s", "REMOVE pk", "ADD pk :n", "DELETE pk :ss"} {
		require.EqualError(t, parseUpdate(t, text).RefuseKeys("pk", "sk"), refused, text)
	}
	u := parseUpdate(t, "SET a.b[1] = pk, c = :s REMOVE x")
	require.NoError(t, u.RefuseKeys("pk", "sk"))
	paths := u.Paths()
	require.Equal(t, "[a, b, [1]]", paths[0].String())
	require.Equal(t, "x", paths[2].Name())
}

func TestUpdateDepth(t *testing.T) {
	t.Parallel()
	deep := attr.S("x")
	for range attr.MaxDepth {
		deep = attr.L([]attr.Value{deep})
	}
	item := attr.Item{"m": attr.M(map[string]attr.Value{})}
	for text, want := range map[string]string{"SET a = :v": "", "SET m.a = :v": "Nesting Levels have exceeded supported limits"} {
		u, err := expr.ParseUpdate(text, newEnv(t, nil, map[string]attr.Value{":v": deep}))
		require.NoError(t, err)
		_, err = u.Apply(item)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}

// An update leaves the item as it was, and gives the same again.
func TestApplyChangesNothing(t *testing.T) {
	t.Parallel()
	item := parseItem(t, answersItem)
	before := formatItem(item)
	for _, text := range []string{
		"SET a = :n, m.y.z = :n, l[0] = :n, l[9] = :n REMOVE l[1], m.l[0], t ADD n :n, ns :ns DELETE ss :ss",
		"SET l = list_append(l, l), m.l = list_append(m.l, :l)",
		"REMOVE l[0], l[1], l[2]",
	} {
		u := parseUpdate(t, text)
		first, err := u.Apply(item)
		require.NoError(t, err)
		require.Equal(t, before, formatItem(item), text)
		second, err := u.Apply(item)
		require.NoError(t, err)
		require.True(t, attr.EqualItems(first, second))
	}
}

// List changes against a plain model: set, append in order of the indexes, then remove.
func TestListChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 6).Draw(t, "size")
		kinds := rapid.SliceOfN(rapid.IntRange(0, 2), 9, 9).Draw(t, "kinds")
		list, want, appended, sets, removes := []attr.Value{}, "", "", []string{}, []string{}
		for i := range size {
			list = append(list, attr.S(string(rune('a'+i))))
		}
		for i, kind := range kinds {
			at := "l[" + string(rune('0'+i)) + "]"
			switch {
			case kind == 1 && i < size:
				want += "x"
				sets = append(sets, at+" = :s")
			case kind == 1:
				appended += "x"
				sets = append(sets, at+" = :s")
			case kind == 2:
				removes = append(removes, at)
			case i < size:
				want += list[i].Str()
			}
		}
		text, values := "", map[string]attr.Value(nil)
		if len(sets) > 0 {
			text, values = "SET "+strings.Join(rapid.Permutation(sets).Draw(t, "sets"), ", ")+" ", s("x")
		}
		if len(removes) > 0 {
			text += "REMOVE " + strings.Join(rapid.Permutation(removes).Draw(t, "removes"), ", ")
		}
		if text == "" {
			return
		}
		env, err := expr.NewEnv(nil, values)
		require.NoError(t, err)
		u, err := expr.ParseUpdate(text, env)
		require.NoError(t, err)
		next, err := u.Apply(attr.Item{"l": attr.L(list)})
		require.NoError(t, err)
		got := ""
		for _, v := range next["l"].List() {
			got += v.Str()
		}
		require.Equal(t, want+appended, got, text)
	})
}

// One cache and one parsed expression serve many goroutines.
func TestShared(t *testing.T) {
	t.Parallel()
	var cache expr.Cache
	shared, err := expr.ParseCondition("size(a) >= :n", newEnv(t, nil, map[string]attr.Value{":n": attr.N(num.FromInt(1))}))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				item := attr.Item{"a": attr.S("xx"), "n": attr.N(num.FromInt(int64(i)))}
				env, err := expr.NewEnv(map[string]string{"#n": "n"}, map[string]attr.Value{":v": attr.N(num.FromInt(int64(i)))})
				if err != nil {
					t.Error(err)
					return
				}
				env.Cache = &cache
				text := "#n = :v" + strings.Repeat(" ", i%1500)
				c, err := expr.ParseCondition(text, env)
				if err != nil {
					t.Error(err)
					return
				}
				one, _ := c.Match(item)
				two, _ := shared.Match(item)
				if !one || !two {
					t.Errorf("%d does not match", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A caller that writes values into its texts does not fill the memory.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	var cache expr.Cache
	for i := range 5000 {
		env := newEnv(t, nil, nil)
		env.Cache = &cache
		_, err := expr.ParseProjection("a"+strconv.Itoa(i), env)
		require.NoError(t, err)
		require.LessOrEqual(t, cache.Len(), 1024)
	}
	require.NotZero(t, cache.Len())
}

// The cache changes no answer: neither a value nor a name nor an error is kept.
func TestCacheKeepsNoRequest(t *testing.T) {
	t.Parallel()
	var cache expr.Cache
	check := func(name, value, want string) {
		env := newEnv(t, map[string]string{"#a": name}, s(value))
		env.Cache = &cache
		c, err := expr.ParseCondition("begins_with(#a, :s)", env)
		require.NoError(t, err)
		match, _ := c.Match(attr.Item{"a": attr.S("ax"), "b": attr.S("bx")})
		require.Equal(t, want == "yes", match)
		require.NoError(t, env.CheckUnused())
	}
	check("a", "a", "yes")
	check("a", "b", "no")
	check("b", "b", "yes")
	env := newEnv(t, map[string]string{"#a": "a"}, map[string]attr.Value{":s": attr.N(num.FromInt(1))})
	env.Cache = &cache
	for range 2 {
		_, err := expr.ParseFilter("begins_with(#a, :s)", env)
		require.EqualError(t, err, "Invalid FilterExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N")
		_, err = expr.ParseUpdate("begins_with(#a, :s)", env)
		require.EqualError(t, err, `Invalid UpdateExpression: Syntax error; token: "begins_with", near: "begins_with("`)
	}
}
