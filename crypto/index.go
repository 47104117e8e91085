package crypto

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Index is a blind index: a keyed hash of a value, stored in an attribute of its own beside the sealed one, by which rows are found without being
// opened. Its key belongs to the namespace, so equal values of different subjects are equal here, and shredding a subject leaves it: an
// erasure must delete the attribute. It shows which rows have equal values, and how frequent each is.
type Index struct {
	// Name is that of the index, such as "customer.email": equal values of two names give different hashes.
	Name string
	// Version is 0 at first. To change the key or the normalization, add a second attribute with the next version, fill it, query by it,
	// and drop the first one.
	Version int
	// Normalize makes texts equal that mean the same, such as strings.ToLower. Nil keeps them.
	Normalize func(string) string
	// Bits is 0 for a unique index, whose hash has 128 bits, as for e-mail addresses; or the length of a beacon, whose hashes are shared by
	// several values on purpose: a query finds some rows too many, which the caller leaves out after opening them.
	Bits int
	// Population is how many different values a beacon has to expect. Bits must fit it: √population < 2^bits < population/2
	// (the rule of AWS's database encryption), and fewer than 32 values are refused.
	Population int
}

const (
	uniqueBits    = 128
	minPopulation = 32
	maxBits       = 63
)

// Validate tells what is wrong with an index, or nothing.
func (ix Index) Validate() error {
	switch {
	case ix.Name == "":
		return mistake("the index has no name")
	case ix.Version < 0:
		return mistake("index %q: the version is negative", ix.Name)
	case ix.Bits == 0 && ix.Population == 0:
		return nil
	case ix.Population < minPopulation:
		return mistake("index %q: with fewer than %d different values, a beacon tells the value", ix.Name, minPopulation)
	case ix.Bits <= 0 || ix.Bits > maxBits:
		return mistake("index %q: a beacon has 1 to %d bits", ix.Name, maxBits)
	}
	hashes, population := float64(uint64(1)<<ix.Bits), float64(ix.Population)
	if hashes*hashes <= population || hashes >= population/2 {
		return mistake("index %q: %d bits do not fit %d values: want √population < 2^bits < population/2",
			ix.Name, ix.Bits, ix.Population)
	}
	return nil
}

// BlindIndex is the hash of a value under an index, in hexadecimal: 32 digits of a unique index, a quarter of the bits, rounded up, of a beacon. It
// is a function of namespace, index and value, so it can be a condition of a query.
func (s *Sealer) BlindIndex(ctx context.Context, ix Index, value string) (string, error) {
	if err := ix.Validate(); err != nil {
		return "", s.fault("index", err)
	}
	n, err := s.keys.namespace(ctx, s.namespace, true)
	if err != nil {
		return "", s.fault("index", err)
	}
	key, err := derive(n.root, keySize, domainIndex, s.namespace, ix.Name, strconv.Itoa(ix.Version), strconv.Itoa(ix.Bits))
	if err != nil {
		return "", s.fault("index", err)
	}
	defer clear(key)
	if ix.Normalize != nil {
		value = ix.Normalize(value)
	}
	sum := mac(key, value)
	if ix.Bits == 0 {
		return hex.EncodeToString(sum[:uniqueBits/8]), nil
	}
	var head uint64
	for _, b := range sum[:8] {
		head = head<<8 | uint64(b)
	}
	return fmt.Sprintf("%0*x", (ix.Bits+3)/4, head>>(64-ix.Bits)), nil
}

// SubjectRef is a keyed hash of a subject, in base64url: for the attribute _sid, and wherever a record must name a subject without
// naming a person. It is a function of namespace and subject.
func (s *Sealer) SubjectRef(ctx context.Context, subject string) (string, error) {
	n, err := s.keys.namespace(ctx, s.namespace, true)
	if err != nil {
		return "", s.fault("reference", err)
	}
	ref, err := n.reference(subject)
	return ref, s.fault("reference", err)
}
