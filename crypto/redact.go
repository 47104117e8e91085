package crypto

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/insideout-go/insideout"
)

// View is how much of a class of values is shown.
type View string

// The views. A class that is not named is redacted.
const (
	Full     View = "full"     // the value
	Masked   View = "masked"   // its last characters, of texts of eight or more; of an e-mail address the first one and the domain
	Redacted View = "redacted" // [REDACTED]
	Absent   View = "absent"   // not even the field
)

// Views gives the view of each class of the seal tags, such as {"contact": Masked, "health": Absent}.
type Views map[string]View

// Redact wraps a model, or whatever else, for printing: with fmt, slog and JSON it shows plain fields as they are and those with a seal tag as their class
// is viewed, at any depth. A Sealed never shows its value here, whatever the view: that takes its Reveal.
func (v Views) Redact(value any) Redaction { return Redaction{v, reflect.ValueOf(value)} }

// Redaction prints what its Views let it. Keep it no longer than the value.
type Redaction struct {
	views Views
	value reflect.Value
}

const redactedText = "[REDACTED]"

// MarshalJSON is the view as JSON; the names are those of encoding/json.
func (r Redaction) MarshalJSON() ([]byte, error) { return json.Marshal(r.show(r.value)) }

// LogValue is the view as text.
func (r Redaction) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// Format prints the view as JSON, whatever the verb.
func (r Redaction) Format(s fmt.State, _ rune) {
	raw, err := r.MarshalJSON()
	if err != nil { // the cause may quote a value
		raw = []byte(redactedText)
	}
	_, _ = s.Write(raw)
}

// show copies a value into maps and slices, without what is not to be seen.
func (r Redaction) show(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.CanInterface() {
		if _, ok := v.Interface().(fmt.Formatter); ok && isSealed(v.Type()) {
			return redactedText
		}
		if _, ok := v.Interface().(json.Marshaler); ok {
			return v.Interface()
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return r.show(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		r.showStruct(v, out)
		return out
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && (v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8) {
			return v.Interface()
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = r.show(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[fmt.Sprint(it.Key().Interface())] = r.show(it.Value())
		}
		return out
	default:
		return v.Interface()
	}
}

func (r Redaction) showStruct(v reflect.Value, into map[string]any) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Tag.Get("json") == "-" {
			continue
		}
		class, tagged := sf.Tag.Lookup("seal")
		if sf.Anonymous && name == "" && !tagged && sf.Type.Kind() == reflect.Struct && !isSealed(sf.Type) {
			r.showStruct(v.Field(i), into)
			continue
		}
		if !sf.IsExported() {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		class, _, _ = strings.Cut(class, ",")
		switch {
		case !tagged:
			into[name] = r.show(v.Field(i))
		case r.views[class] == Absent:
		case r.views[class] == Full && !isSealed(sf.Type):
			into[name] = v.Field(i).Interface()
		case r.views[class] == Masked && !isSealed(sf.Type):
			into[name] = mask(v.Field(i))
		default:
			into[name] = redactedText
		}
	}
}

func isSealed(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[insideout.Carrier]())
}

// mask shows a little of a text, and nothing of any other type.
func mask(v reflect.Value) string {
	if v.Kind() != reflect.String {
		return redactedText
	}
	const stars = "****"
	text := v.String()
	if local, domain, ok := strings.Cut(text, "@"); ok && local != "" && domain != "" && utf8.ValidString(local) {
		_, size := utf8.DecodeRuneInString(local)
		return local[:size] + stars + "@" + domain
	}
	runes := []rune(text)
	const shown, least = 2, 8
	if len(runes) < least {
		return stars
	}
	return stars + string(runes[len(runes)-shown:])
}
