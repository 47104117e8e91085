// Package kmsee reads what the JavaScript library aws-kms-ee has encrypted, so that its rows and events can be moved to sealed values. It never
// writes its format, which has no authentication and one key for everything.
//
// Start with [New] and [Reader.Open], which opens a row or an event as JSON; [Reader.OpenEvent] opens an insideout.Event. Migration is then a matter of saving what
// was read: the model's seal tags do the rest.
//
// # The format
//
// {"email": "U2FsdGVkX1…", "eem": {"dataKeys": {"us-east-1": "…"}, "masterKeyAlias": "alias/…", "fields": ["email"]}}: every member with one of these names,
// at any depth and in arrays, holds the JSON of its value, encrypted by CryptoJS: AES-256-CBC with a key that MD5 derives from a
// passphrase, which is the data key's bytes read as UTF-8. None of that is approved by FIPS 140: in FIPS 140-only mode every value is refused.
package kmsee

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/md5" //nolint:gosec // the format asks for it
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/insideout-go/insideout"
)

// What Open fails with. Test with errors.Is.
var (
	// ErrEnvelope: the eem is not one of aws-kms-ee, or lacks a part.
	ErrEnvelope = errors.New("kmsee: the eem is not one of aws-kms-ee")
	// ErrValue: a value does not open. The format has no authentication, so a damaged value may also open as a wrong one.
	ErrValue = errors.New("kmsee: the value does not open under its data key")
	// ErrDataKey: no region's data key could be unwrapped. The causes are wrapped.
	ErrDataKey = errors.New("kmsee: the data key cannot be had from any region")
)

// Unwrap asks the key service of a region for a data key. With AWS KMS it is
//
//	func(ctx context.Context, region string, wrapped []byte) ([]byte, error) {
//		out, err := clients[region].Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: wrapped})
//		…
//		return out.Plaintext, nil
//	}
type Unwrap func(ctx context.Context, region string, wrapped []byte) ([]byte, error)

// Options of a Reader. The zero value of each field is its default.
type Options struct {
	// Region is asked first; the others follow by name. The default is none in particular.
	Region string
	// Base64 reads values that were written with AES=false, which only encodes. The default refuses them.
	Base64 bool
	// Keys bounds the data keys that are kept. The default is 1,000; a process of aws-kms-ee makes one.
	Keys int
}

const defaultKeys = 1000

// Reader opens envelopes. It is safe for concurrent use.
type Reader struct {
	unwrap  Unwrap
	options Options
	mu      sync.Mutex
	keys    map[string][]byte // passphrases by wrapped data key
}

// New takes the way to the key service. It does no I/O.
func New(unwrap Unwrap, options *Options) (*Reader, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if unwrap == nil || o.Keys < 0 {
		return nil, errors.New("kmsee: New needs a function that unwraps data keys, and a number of keys to keep that is not negative")
	}
	if o.Keys == 0 {
		o.Keys = defaultKeys
	}
	return &Reader{unwrap: unwrap, options: o, keys: map[string][]byte{}}, nil
}

// envelope is the member eem.
type envelope struct {
	DataKeys map[string]string `json:"dataKeys"`
	Fields   []string          `json:"fields"`
}

const memberEEM = "eem"

// Open opens a JSON object that has an eem, and returns it without. An object without an eem, or with one of another kind, comes back as it is. Numbers keep their
// text. Errors name the place of a value, and no value.
func (r *Reader) Open(ctx context.Context, object []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("%w: want a JSON object", ErrEnvelope)
	}
	out, opened, err := r.open(ctx, members)
	if err != nil || !opened {
		return object, err
	}
	return encode(out)
}

// OpenEvent is Open for an event: its members are opened, and the eem is gone.
func (r *Reader) OpenEvent(ctx context.Context, e insideout.Event) (insideout.Event, error) {
	out, opened, err := r.open(ctx, e.Body)
	if err != nil {
		return e, fmt.Errorf("event %q: %w", e.ID, err)
	}
	if opened {
		e.Body = out
	}
	return e, nil
}

func (r *Reader) open(ctx context.Context, members map[string]json.RawMessage) (map[string]json.RawMessage, bool, error) {
	raw, ok := members[memberEEM]
	if !ok || !bytes.Contains(raw, []byte(`"dataKeys"`)) {
		return members, false, nil
	}
	var eem envelope
	if err := json.Unmarshal(raw, &eem); err != nil || len(eem.DataKeys) == 0 {
		return nil, false, fmt.Errorf("%w: dataKeys and fields are wanted", ErrEnvelope)
	}
	passphrase, err := r.passphrase(ctx, eem)
	if err != nil {
		return nil, false, err
	}
	w := walk{fields: eem.Fields, passphrase: passphrase, base64: r.options.Base64}
	out := make(map[string]json.RawMessage, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == memberEEM {
			continue
		}
		if out[name], err = w.member("", name, members[name]); err != nil {
			return nil, false, err
		}
	}
	return out, true, nil
}

// passphrase asks the regions in turn.
func (r *Reader) passphrase(ctx context.Context, eem envelope) ([]byte, error) {
	regions := slices.Sorted(maps.Keys(eem.DataKeys))
	slices.SortStableFunc(regions, func(a, b string) int {
		return boolInt(b == r.options.Region) - boolInt(a == r.options.Region)
	})
	var faults []error
	for _, region := range regions {
		wrapped, err := base64.StdEncoding.DecodeString(eem.DataKeys[region])
		if err != nil {
			faults = append(faults, fmt.Errorf("region %q: the data key is not base64", region))
			continue
		}
		key, err := r.key(ctx, region, wrapped)
		if err == nil {
			return key, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		faults = append(faults, fmt.Errorf("region %q: %w", region, err))
	}
	return nil, fmt.Errorf("%w: %w", ErrDataKey, errors.Join(faults...))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *Reader) key(ctx context.Context, region string, wrapped []byte) ([]byte, error) {
	r.mu.Lock()
	known, ok := r.keys[string(wrapped)]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	key, err := r.unwrap(ctx, region, wrapped)
	if err != nil {
		return nil, err
	}
	passphrase := asUTF8(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) >= r.options.Keys {
		clear(r.keys)
	}
	r.keys[string(wrapped)] = passphrase
	return passphrase, nil
}

// walk opens members by name.
type walk struct {
	fields     []string
	passphrase []byte
	base64     bool
}

func (w *walk) member(at, name string, raw json.RawMessage) (json.RawMessage, error) {
	at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	if !slices.Contains(w.fields, name) {
		return w.value(at, raw)
	}
	if string(raw) == "null" {
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("%w: %q is not a string", ErrValue, at)
	}
	plain, err := w.decrypt(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrValue, at, err)
	}
	return parse(plain)
}

func (w *walk) value(at string, raw json.RawMessage) (json.RawMessage, error) {
	switch trimmed := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(trimmed) > 0 && trimmed[0] == '{':
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return nil, fmt.Errorf("%w: %q is not JSON", ErrEnvelope, at)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			var err error
			if members[name], err = w.member(at, name, members[name]); err != nil {
				return nil, err
			}
		}
		return encode(members)
	case len(trimmed) > 0 && trimmed[0] == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, fmt.Errorf("%w: %q is not JSON", ErrEnvelope, at)
		}
		for i := range items {
			var err error
			if items[i], err = w.value(fmt.Sprintf("%s/%d", at, i), items[i]); err != nil {
				return nil, err
			}
		}
		return encode(items)
	default:
		return raw, nil
	}
}

var (
	errForm    = errors.New("it is not in OpenSSL's salted form")
	errPadding = errors.New("its padding is wrong")
	errFIPS    = errors.New("MD5 and CBC are not to be used in FIPS 140-only mode")
	errText    = errors.New("it is not UTF-8")
)

// decrypt undoes CryptoJS.AES.encrypt with a passphrase: "Salted__", a salt of 8 bytes, AES-256-CBC.
func (w *walk) decrypt(text string) ([]byte, error) {
	box, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errForm
	}
	if w.base64 {
		return box, nil
	}
	if fips140.Enforced() {
		return nil, errFIPS
	}
	const magic, saltSize = "Salted__", 8
	box, ok := bytes.CutPrefix(box, []byte(magic))
	if !ok || len(box) < saltSize+aes.BlockSize || (len(box)-saltSize)%aes.BlockSize != 0 {
		return nil, errForm
	}
	material := evpBytesToKey(w.passphrase, box[:saltSize])
	block, err := aes.NewCipher(material[:32])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(box)-saltSize)
	cipher.NewCBCDecrypter(block, material[32:]).CryptBlocks(plain, box[saltSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errPadding
	}
	if plain = plain[:len(plain)-pad]; !utf8.Valid(plain) {
		return nil, errText
	}
	return plain, nil
}

// evpBytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one round: a key of 32 bytes and an initialization vector of 16.
func evpBytesToKey(passphrase, salt []byte) []byte {
	var out, last []byte
	for len(out) < 48 {
		h := md5.New() //nolint:gosec // the format asks for it
		h.Write(last)
		h.Write(passphrase)
		h.Write(salt)
		last = h.Sum(nil)
		out = append(out, last...)
	}
	return out
}

// parse reads a plain text as aws-kms-ee does: JSON, or, from before it wrote JSON, a bare text.
func parse(plain []byte) (json.RawMessage, error) {
	wrapped := func(first, last byte) bool {
		return len(plain) > 1 && plain[0] == first && plain[len(plain)-1] == last
	}
	exponential := !wrapped('{', '}') && !wrapped('[', ']') && !wrapped('"', '"') && bytes.Count(plain, []byte("E")) == 1
	if !exponential && json.Valid(plain) {
		return plain, nil
	}
	return encode(string(plain))
}

func encode(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: it has no JSON form", ErrEnvelope)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
