package crypto

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options of Keys. The zero value of each field is its default.
type Options struct {
	// SubjectTTL is how long a subject's keys are used without asking the key table again, and so the time after which
	// no process opens what another one has shredded, restricted or disabled. The default is a minute.
	SubjectTTL time.Duration
	// MasterTTL is how long a namespace's keys are used without asking the key service again: the longest outage that is survived.
	// The default is five minutes. All processes of a key table have the same: RetireEpoch counts on it.
	MasterTTL time.Duration
	// Subjects bounds the subjects whose keys are cached, about 1 KB each. The default is 10,000.
	Subjects int
	// Namespaces bounds the namespaces whose keys are cached. The default is 1,000.
	Namespaces int
	// NamespaceTable keeps the rows of namespaces apart from those of subjects, so that it can have no backups: once an epoch is retired, old backups of
	// the subjects' table hold no key that can be unwrapped. The default is the key table itself.
	NamespaceTable string
	// Purposes are those that may open restricted values, such as "legal-claims": see Sealer.For. The default is none.
	Purposes []string
	// MaxUses is how many values one key seals before the subject gets another one: at most the default of 2^31, which leaves as many again
	// for uses that are not counted exactly, below the 2^32 that NIST SP 800-38D allows for random nonces.
	MaxUses int64
}

const (
	defaultSubjectTTL = time.Minute
	defaultMasterTTL  = 5 * time.Minute
	defaultSubjects   = 10_000
	defaultNamespaces = 1000
	maxUses           = 1 << 31
	maxEpochs         = 1000
	maxLife           = 100 * 365 * 24 * time.Hour
	// refetchAfter: a key id that is not known may be newer than the cached keys, if they are at least this old.
	refetchAfter = time.Second
)

// Keys keeps the keys of all namespaces of a key table. It is safe for concurrent use; a process has one.
type Keys struct {
	subjectTable   keyTable
	namespaceTable keyTable
	wrapper        KeyWrapper
	options        Options
	namespaces     *cache[string, *namespaceKeys]
	subjects       *cache[subjectKey, *subjectKeys]
}

// subjectKey has the namespace first, so that no subject is ever looked up in the keys of another tenant.
type subjectKey struct{ namespace, subject string }

// New takes the key table (see KeyTableSchema) and the keeper of the master key. It does no I/O.
func New(client Client, table string, wrapper KeyWrapper, options *Options) (*Keys, error) {
	var o Options
	if options != nil {
		o = *options
	}
	var faults []error
	check := func(bad bool, text string) {
		if bad {
			faults = append(faults, invalid("%s", text))
		}
	}
	check(client == nil, "a client of the key table is missing")
	check(table == "", "the name of the key table is missing")
	local, isLocal := wrapper.(*LocalKey)
	check(wrapper == nil || isLocal && local.empty(), "a KeyWrapper is missing: a LocalKey, or one of awskms")
	check(o.SubjectTTL < 0 || o.MasterTTL < 0, "a time to live is negative")
	check(o.Subjects < 0 || o.Namespaces < 0, "the size of a cache is negative")
	check(o.MaxUses < 0 || o.MaxUses > maxUses, fmt.Sprintf("MaxUses must lie between 1 and %d", int64(maxUses)))
	check(slices.Contains(o.Purposes, ""), "a purpose is empty")
	if len(faults) > 0 {
		return nil, fmt.Errorf("crypto: %w", errors.Join(faults...))
	}
	o.SubjectTTL, o.MasterTTL = orDefault(o.SubjectTTL, defaultSubjectTTL), orDefault(o.MasterTTL, defaultMasterTTL)
	o.Subjects, o.Namespaces = orDefault(o.Subjects, defaultSubjects), orDefault(o.Namespaces, defaultNamespaces)
	o.MaxUses, o.NamespaceTable = orDefault(o.MaxUses, maxUses), orDefault(o.NamespaceTable, table)
	return &Keys{
		subjectTable: keyTable{client, table}, namespaceTable: keyTable{client, o.NamespaceTable}, wrapper: wrapper, options: o,
		namespaces: newCache[string, *namespaceKeys](o.Namespaces, o.MasterTTL),
		subjects:   newCache[subjectKey, *subjectKeys](o.Subjects, o.SubjectTTL),
	}, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Format prints nothing of the keys.
func (k *Keys) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "crypto.Keys") }

// Namespace is the sealer of a namespace: a tenant, or a service. Its name stands in keys, in errors and in the logs of the key
// service: 1 to 64 letters, digits, dots, hyphens and underscores, and nothing personal. The namespace is made when it first
// seals.
func (k *Keys) Namespace(name string) (*Sealer, error) {
	if err := checkNamespace(name); err != nil {
		return nil, fmt.Errorf("crypto: %w", err)
	}
	return &Sealer{keys: k, namespace: name}, nil
}

// Evict drops the cached keys of subjects, or without any those of the whole namespace: for a process that hears of
// a shredding (by an event) before SubjectTTL is over.
func (s *Sealer) Evict(subjects ...string) {
	for _, subject := range subjects {
		s.keys.subjects.evict(subjectKey{s.namespace, subject})
	}
	if len(subjects) == 0 {
		s.keys.subjects.evictAll(func(k subjectKey) bool { return k.namespace == s.namespace })
		s.keys.namespaces.evict(s.namespace)
	}
}

// namespaceKeys are the unwrapped keys of a namespace.
type namespaceKeys struct {
	namespace string
	root      []byte
	row       *namespaceRow
	keks      *cache[int64, cipher.AEAD] // of older epochs when they are needed; they end with the namespace's
}

func newNamespaceKeys(namespace string, row *namespaceRow) *namespaceKeys {
	return &namespaceKeys{namespace: namespace, row: row, keks: newCache[int64, cipher.AEAD](maxEpochs, maxLife)}
}

// reference is the keyed hash that stands for a subject in the key table.
func (n *namespaceKeys) reference(subject string) (string, error) {
	key, err := derive(n.root, keySize, domainSubject, n.namespace)
	if err != nil {
		return "", err
	}
	defer clear(key)
	return encodeRef(mac(key, subject)), nil
}

// namespace loads a namespace's keys: one read, and one call of the key service. With create it makes what is missing.
func (k *Keys) namespace(ctx context.Context, name string, create bool) (*namespaceKeys, error) {
	return getOrCreate(ctx, k.namespaces, name, create, func(ctx context.Context) (*namespaceKeys, error) {
		it, err := k.namespaceTable.get(ctx, namespacePK(name))
		if err != nil {
			return nil, err
		}
		if it == nil {
			if !create {
				return nil, fmt.Errorf("%w: the namespace has none", errAbsent)
			}
			return k.createNamespace(ctx, name)
		}
		return k.openNamespace(ctx, name, it)
	})
}

func (k *Keys) openNamespace(ctx context.Context, name string, it item) (*namespaceKeys, error) {
	row, err := readNamespace(it)
	if err != nil {
		return nil, err
	}
	n := newNamespaceKeys(name, row)
	kek, err := k.kek(ctx, n, row.epoch)
	if err != nil {
		return nil, err
	}
	n.root, err = unwrapKey(kek, row.root, name, "root")
	return n, err
}

func (k *Keys) createNamespace(ctx context.Context, name string) (*namespaceKeys, error) {
	n := newNamespaceKeys(name, &namespaceRow{since: time.Now(), epochs: map[int64][]byte{}})
	n.root = newSecret()
	if err := k.addEpoch(ctx, n); err != nil {
		return nil, err
	}
	err := k.namespaceTable.put(ctx, n.row.item(name), 0)
	if errors.Is(err, errOvertaken) { // another process made it
		it, err := k.namespaceTable.get(ctx, namespacePK(name))
		if err != nil {
			return nil, err
		}
		return k.openNamespace(ctx, name, it)
	}
	n.row.rev = 1
	return n, err
}

// addEpoch gives n a new epoch, which wraps the root from then on. It writes nothing.
func (k *Keys) addEpoch(ctx context.Context, n *namespaceKeys) error {
	secret := newSecret()
	defer clear(secret)
	epoch := n.row.epoch + 1
	wrapped, err := k.wrapper.Wrap(ctx, secret, binding(n.namespace, epoch))
	if err != nil {
		return service("wrap a key", err)
	}
	kek, err := kekOf(secret, n.namespace, epoch)
	if err != nil {
		return err
	}
	n.row.epoch, n.row.epochs[epoch] = epoch, wrapped
	n.keks.put(epoch, kek)
	n.row.root = wrapKey(kek, n.root, n.namespace, "root")
	return nil
}

// kek is the key of an epoch, unwrapped by the key service once, however many ask for it at a time.
func (k *Keys) kek(ctx context.Context, n *namespaceKeys, epoch int64) (cipher.AEAD, error) {
	return n.keks.get(ctx, epoch, func(ctx context.Context) (cipher.AEAD, error) {
		wrapped, ok := n.row.epochs[epoch]
		if !ok {
			return nil, fmt.Errorf("%w: epoch %d of the namespace is retired", ErrUnknownKey, epoch)
		}
		secret, err := k.wrapper.Unwrap(ctx, wrapped, binding(n.namespace, epoch))
		if err != nil {
			return nil, service("unwrap a key", err)
		}
		defer clear(secret)
		if len(secret) != keySize {
			return nil, fmt.Errorf("%w: the key service gave a key of %d bytes", ErrRecord, len(secret))
		}
		return kekOf(secret, n.namespace, epoch)
	})
}

func kekOf(secret []byte, namespace string, epoch int64) (cipher.AEAD, error) {
	key, err := derive(secret, keySize, domainWrap, namespace, fmt.Sprint(epoch))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newAEAD(key)
}

// binding is what the key service authenticates, and may log.
func binding(namespace string, epoch int64) map[string]string {
	return map[string]string{"insideout:namespace": namespace, "insideout:epoch": fmt.Sprint(epoch)}
}

func newSecret() []byte {
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // it never fails: the program ends instead
	return secret
}
