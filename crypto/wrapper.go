package crypto

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// KeyWrapper wraps and unwraps keys of 32 bytes with a master key that does not leave its keeper. It is met by *LocalKey, by
// awskms.Wrapper and by awsesdk.Wrapper, and must be safe for concurrent use.
//
// The binding is authenticated with the key: Unwrap fails under another one. It holds nothing personal (a namespace, an epoch), because key
// services write it into their logs. Errors keep the service's own error in their chain, and neither key.
type KeyWrapper interface {
	Wrap(ctx context.Context, key []byte, binding map[string]string) (wrapped []byte, err error)
	Unwrap(ctx context.Context, wrapped []byte, binding map[string]string) (key []byte, err error)
}

// LocalKey is a master key in this process's memory, for development and small deployments: whoever has it and the key table
// has everything. A lost master key is lost data.
type LocalKey struct {
	id    []keyID
	aeads []cipher.AEAD
}

var _ KeyWrapper = (*LocalKey)(nil)

// NewLocalKey takes master keys of 32 random bytes: the first one wraps, all of them unwrap, so that a key can be replaced: put the new one
// first, RotateEpoch, Rewrap and RetireEpoch in every namespace, then take the old one away.
func NewLocalKey(keys ...[]byte) (*LocalKey, error) {
	if len(keys) == 0 {
		return nil, mistake("a local master key is missing")
	}
	l := &LocalKey{}
	for i, key := range keys {
		if len(key) != keySize {
			return nil, mistake("master key %d has %d bytes, and needs %d", i+1, len(key), keySize)
		}
		material, err := derive(key, keySize+kidSize, domainWrap, "local")
		if err != nil {
			return nil, mistake("master key %d: %w", i+1, err)
		}
		aead, err := newAEAD(material[:keySize])
		if err != nil {
			return nil, mistake("master key %d: %w", i+1, err)
		}
		l.id, l.aeads = append(l.id, keyID(material[keySize:])), append(l.aeads, aead)
	}
	return l, nil
}

// ReadLocalKey reads master keys from a file: one a line, 32 bytes in base64 or hexadecimal; lines that are empty or start
// with # do not count. Others than its owner may not be able to read it (mode 0600 or 0400).
//
//	head -c 32 /dev/urandom | base64 > master.key && chmod 600 master.key
func ReadLocalKey(path string) (*LocalKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("crypto: the master key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, mistake("the master key %q is open to others (mode %04o): chmod 600", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("crypto: the master key: %w", err)
	}
	return ParseLocalKey(string(text))
}

// ParseLocalKey reads master keys from a text, such as an environment variable's, in the form of [ReadLocalKey].
func ParseLocalKey(text string) (*LocalKey, error) {
	var keys [][]byte
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := decodeKey(line)
		if err != nil {
			return nil, mistake("line %d of the master key: %w", n+1, err)
		}
		keys = append(keys, key)
	}
	return NewLocalKey(keys...)
}

func decodeKey(line string) ([]byte, error) {
	decoders := []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString}
	for _, decode := range decoders {
		if key, err := decode(line); err == nil && len(key) == keySize {
			return key, nil
		}
	}
	return nil, errors.New("want 32 bytes in base64 or hexadecimal")
}

// Wrap implements [KeyWrapper].
func (l *LocalKey) Wrap(ctx context.Context, key []byte, binding map[string]string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.empty() {
		return nil, mistake("there is no local master key")
	}
	return append(l.id[0][:], wrapKey(l.aeads[0], key, pairs(binding)...)...), nil
}

// Unwrap implements [KeyWrapper].
func (l *LocalKey) Unwrap(ctx context.Context, wrapped []byte, binding map[string]string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.empty() {
		return nil, mistake("there is no local master key")
	}
	if len(wrapped) < kidSize {
		return nil, fmt.Errorf("%w: it is not a wrapped key", ErrRecord)
	}
	for i, id := range l.id {
		if id == keyID(wrapped[:kidSize]) {
			return unwrapKey(l.aeads[i], wrapped[kidSize:], pairs(binding)...)
		}
	}
	return nil, fmt.Errorf("%w: the key was wrapped by a master key that is not given here", ErrUnknownKey)
}

// pairs lists a binding in the order of its names.
func pairs(binding map[string]string) []string {
	list := []string{"local"}
	for _, name := range slices.Sorted(maps.Keys(binding)) {
		list = append(list, name, binding[name])
	}
	return list
}

// empty says that there is no key: it was not made by NewLocalKey, or the error of that was passed over.
func (l *LocalKey) empty() bool { return l == nil || len(l.id) == 0 }

// Format prints nothing of the keys.
func (l *LocalKey) Format(s fmt.State, _ rune) {
	n := 0
	if !l.empty() {
		n = len(l.id)
	}
	_, _ = fmt.Fprintf(s, "crypto.LocalKey(%d)", n)
}
