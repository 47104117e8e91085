package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// Env holds the ExpressionAttributeNames and ExpressionAttributeValues of one
// request and notes which of them its expressions use. It serves one goroutine.
type Env struct {
	// Cache keeps parsed texts between requests; nil parses every time.
	Cache *Cache

	names  []nameEntry
	values []valueEntry
}

type nameEntry struct {
	key, name string
	used      bool
}

type valueEntry struct {
	key   string
	value attr.Value
	used  bool
}

// NewEnv checks the placeholders of a request. A nil map is an absent
// parameter; an empty one is refused, as are keys other than #word and :word of at
// most 255 bytes, and names that are empty or too long.
func NewEnv(names map[string]string, values map[string]attr.Value) (*Env, error) {
	e := &Env{}
	if err := e.setNames(names); err != nil {
		return nil, err
	}
	if err := checkKeys("ExpressionAttributeValues", ':', values); err != nil {
		return nil, err
	}
	if len(values) > 0 {
		e.values = make([]valueEntry, 0, len(values))
	}
	for key, v := range values {
		e.values = append(e.values, valueEntry{key: key, value: v})
	}
	return e, nil
}

// NewEnvSDK is NewEnv over the SDK's values, which it converts and checks.
func NewEnvSDK(names map[string]string, values map[string]types.AttributeValue) (*Env, error) {
	e := &Env{}
	if err := e.setNames(names); err != nil {
		return nil, err
	}
	if err := checkKeys("ExpressionAttributeValues", ':', values); err != nil {
		return nil, err
	}
	e.values = make([]valueEntry, 0, len(values))
	for key, value := range values {
		v, err := attr.FromSDK(value)
		if err != nil {
			return nil, &Error{"ExpressionAttributeValues contains invalid value: " + err.Error() + " for key " + key}
		}
		e.values = append(e.values, valueEntry{key: key, value: v})
	}
	return e, nil
}

func (e *Env) setNames(names map[string]string) error {
	if err := checkKeys("ExpressionAttributeNames", '#', names); err != nil {
		return err
	}
	if len(names) > 0 {
		e.names = make([]nameEntry, 0, len(names))
	}
	for key, name := range names {
		if err := attr.CheckName(name); err != nil {
			return &Error{"ExpressionAttributeNames contains invalid value: " + err.Error() + " for key " + key}
		}
		e.names = append(e.names, nameEntry{key: key, name: name})
	}
	return nil
}

// checkKeys refuses an empty map and keys that are not the mark and a word.
func checkKeys[V any](parameter string, mark byte, m map[string]V) error {
	if m != nil && len(m) == 0 {
		return &Error{parameter + " must not be empty"}
	}
	for key := range m {
		switch {
		case key == "":
			return &Error{parameter + " contains invalid key: The expression attribute map contains an empty key;"}
		case key[0] != mark || len(key) == 1 || wordLength(key[1:]) != len(key)-1:
			return &Error{parameter + ` contains invalid key: Syntax error; key: "` + key + `"`}
		case len(key) > maxKeyBytes:
			return longKey(parameter, mark, key)
		}
	}
	return nil
}

// longKey is the error about a placeholder over 255 bytes, which tells the size of a name's only.
func longKey(parameter string, mark byte, key string) error {
	text := parameter + " contains invalid key: The expression attribute map contains a key that is too long;"
	if mark == '#' {
		text += " size of key: " + strconv.Itoa(len(key))
	}
	return &Error{text}
}

// CheckUnused refuses names and values that no expression parsed with e has used.
func (e *Env) CheckUnused() error {
	var unused []string
	for _, n := range e.names {
		if !n.used {
			unused = append(unused, n.key)
		}
	}
	if unused != nil {
		return unusedError("ExpressionAttributeNames", unused)
	}
	for _, v := range e.values {
		if !v.used {
			unused = append(unused, v.key)
		}
	}
	if unused != nil {
		return unusedError("ExpressionAttributeValues", unused)
	}
	return nil
}

func unusedError(parameter string, keys []string) error {
	slices.Sort(keys)
	return &Error{"Value provided in " + parameter + " unused in expressions: keys: {" + strings.Join(keys, ", ") + "}"}
}

func (e *Env) name(key string) (string, bool) {
	for i := range e.names {
		if e.names[i].key == key {
			e.names[i].used = true
			return e.names[i].name, true
		}
	}
	return "", false
}

func (e *Env) value(key string) (attr.Value, bool) {
	for i := range e.values {
		if e.values[i].key == key {
			e.values[i].used = true
			return e.values[i].value, true
		}
	}
	return attr.Value{}, false
}
