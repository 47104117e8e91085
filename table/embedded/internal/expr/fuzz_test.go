package expr_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// exercise parses the text as every kind of expression and applies what
// parses; every error is DynamoDB's.
func exercise(t require.TestingT, text string, values map[string]attr.Value, item attr.Item) {
	env, err := expr.NewEnv(map[string]string{"#a": "a", "#n": "n", "#l": "l", "#m": "m", "#d": "a.b"}, values)
	require.NoError(t, err)
	env.Cache = &expr.Cache{}
	var refusal *expr.Error
	for range 2 { // the second time from the cache
		if c, err := expr.ParseCondition(text, env); err == nil {
			_, _ = c.Match(item)
			_, _ = c.Match(nil)
		} else {
			require.ErrorAs(t, err, &refusal)
		}
		if p, err := expr.ParseProjection(text, env); err == nil {
			_ = p.Apply(item)
		} else {
			require.ErrorAs(t, err, &refusal)
		}
		if _, err := expr.ParseKeyCondition(text, env); err != nil {
			require.ErrorAs(t, err, &refusal)
		}
		u, err := expr.ParseUpdate(text, env)
		if err == nil {
			_ = u.Touched(item)
			if _, err = u.Apply(item); err == nil {
				_, err = u.ApplyMissing(attr.Item{})
			}
		}
		if err != nil {
			require.ErrorAs(t, err, &refusal)
		}
	}
}

func FuzzExpression(f *testing.F) {
	file, err := os.Open("testdata/answers.txt")
	require.NoError(f, err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if parts := strings.Split(lines.Text(), "\t"); len(parts) > 1 {
			text, err := strconv.Unquote(parts[1])
			require.NoError(f, err)
			f.Add(text)
		}
	}
	values, item := parseItem(f, answersValues), parseItem(f, answersItem)
	f.Fuzz(func(t *testing.T, text string) { exercise(t, text, values, item) })
}

// Texts of the grammar's own words come further than random bytes.
func TestParserNeverPanics(t *testing.T) {
	t.Parallel()
	values, item := parseItem(t, answersValues), parseItem(t, answersItem)
	words := strings.Fields(`a n l m ss zz #a #n #l #m #d :s :n :n2 :l :m :ss :t ( ) ( ) [0] [1] [7] . , , = <> < <= > >= + -
		AND OR NOT BETWEEN IN SET REMOVE ADD DELETE size(a) size( begins_with( contains( attribute_exists( attribute_type(
		if_not_exists( list_append( ! 5 é`)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 24).Draw(t, "words"), " ")
		exercise(t, text, values, item)
	})
}

// conditions gives valid conditions that nest.
func conditions(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
			return rapid.SampledFrom([]string{
				"a = :s", "n < :n2", "attribute_exists(zz)", "contains(ss, :s)", "size(l) >= :n", "n IN (:n, :n2)", "n BETWEEN :n AND :n3",
			}).Draw(t, "term")
		}
		one, two := conditions(depth-1).Draw(t, "one"), conditions(depth-1).Draw(t, "two")
		return "(NOT " + one + " " + rapid.SampledFrom([]string{"AND", "OR"}).Draw(t, "operator") + " (" + two + " AND a <> :e))"
	})
}

// De Morgan's law holds for every condition and item, spaces and case aside.
func TestNegation(t *testing.T) {
	t.Parallel()
	values, item := parseItem(t, answersValues), parseItem(t, answersItem)
	rapid.Check(t, func(t *rapid.T) {
		one, two := conditions(3).Draw(t, "one"), conditions(3).Draw(t, "two")
		match := func(text string) bool {
			env, err := expr.NewEnv(nil, values)
			require.NoError(t, err)
			c, err := expr.ParseFilter(text, env)
			require.NoError(t, err, text)
			ok, _ := c.Match(item)
			return ok
		}
		require.Equal(t, match("NOT (NOT "+one+" AND NOT "+two+")"), match(one+"\n or\t"+two))
	})
}

// lock is the condition and update of a listener's write.
func lock() (names map[string]string, values map[string]attr.Value, item attr.Item) {
	names = map[string]string{"#v": "_v", "#0": "name", "#1": "status", "#2": "amount", "#3": "timestamp", "#4": "latched", "#5": "gone"}
	values = map[string]attr.Value{
		":v": attr.S("1763712000124#0b7a3c52"), ":0": attr.S("Ann"), ":1": attr.S("OPEN"), ":2": attr.N(num.FromInt(12345)),
		":3": attr.N(num.FromInt(1763712000124)), ":4": attr.BOOL(true),
	}
	item = attr.Item{
		"pk": attr.S("1"), "sk": attr.S("customer"), "_v": attr.S("1763712000123#0b7a3c52"), "name": attr.S("Bob"), "status": attr.S("NEW"),
		"amount": attr.N(num.FromInt(1)), "timestamp": attr.N(num.FromInt(1763712000123)), "gone": attr.S("x"), "discriminator": attr.S("customer"),
	}
	return names, values, item
}

const (
	lockCondition = "attribute_not_exists(#v) OR #v < :v"
	lockUpdate    = "SET #v = :v, #0 = :0, #1 = :1, #2 = :2, #3 = :3, #4 = :4 REMOVE #5"
)

// A conditional update from its texts to the new item.
func BenchmarkConditionalUpdate(b *testing.B) {
	for name, cache := range map[string]*expr.Cache{"cached": {}, "parsed": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			names, values, item := lock()
			for b.Loop() {
				env, _ := expr.NewEnv(names, values)
				env.Cache = cache
				u, _ := expr.ParseUpdate(lockUpdate, env)
				c, _ := expr.ParseCondition(lockCondition, env)
				if err := env.CheckUnused(); err != nil {
					b.Fatal(err)
				}
				if ok, _ := c.Match(item); ok {
					_, _ = u.Apply(item)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	names, values, item := lock()
	env, _ := expr.NewEnv(names, values)
	c, _ := expr.ParseCondition(lockCondition, env)
	for b.Loop() {
		_, _ = c.Match(item)
	}
}

func BenchmarkApply(b *testing.B) {
	b.ReportAllocs()
	names, values, item := lock()
	env, _ := expr.NewEnv(names, values)
	u, _ := expr.ParseUpdate(lockUpdate, env)
	for b.Loop() {
		_, _ = u.Apply(item)
	}
}

func BenchmarkDeepParentheses(b *testing.B) {
	b.ReportAllocs()
	text := strings.Repeat("(", 4096)
	for b.Loop() {
		_, _ = expr.ParseFilter(text, nil)
	}
}
