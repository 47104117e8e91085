package crypto

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// State is what the keys of a subject may be used for.
type State string

// The states. From active, restricted and disabled every state can be reached; nothing leads out of shredded but Readmit,
// which gives new keys to a subject that comes back.
const (
	Active     State = "active"     // seals and opens
	Restricted State = "restricted" // seals; opens for the purposes in Options.Purposes alone (GDPR, article 18)
	Disabled   State = "disabled"   // neither seals nor opens; can be taken back
	Shredded   State = "shredded"   // the keys are gone for good
)

// namespaceRow is the key table's row of a namespace.
type namespaceRow struct {
	rev    int64
	root   []byte           // the secret behind subject references and indexes, wrapped by the current epoch's key
	epoch  int64            // the current one
	since  time.Time        // when it began
	epochs map[int64][]byte // keys wrapped by the master key
}

func (n *namespaceRow) item(namespace string) item {
	epochs := item{}
	for epoch, wrapped := range n.epochs {
		epochs[strconv.FormatInt(epoch, 10)] = binaryOf(wrapped)
	}
	return item{
		attrPK: text(namespacePK(namespace)), attrRoot: binaryOf(n.root), attrEpoch: number(n.epoch), attrSince: number(n.since.UnixMilli()),
		attrEpochs: &types.AttributeValueMemberM{Value: epochs},
	}
}

func readNamespace(it item) (*namespaceRow, error) {
	r := read(it)
	n := &namespaceRow{
		rev: r.number(attrRev), root: r.bytes(attrRoot), epoch: r.number(attrEpoch), since: time.UnixMilli(r.number(attrSince)),
		epochs: map[int64][]byte{},
	}
	m, ok := it[attrEpochs].(*types.AttributeValueMemberM)
	if !ok {
		r.fail(attrEpochs)
		return nil, r.err
	}
	inner := &reader{it: m.Value}
	for name := range m.Value {
		epoch, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			r.fail(attrEpochs)
		}
		n.epochs[epoch] = inner.bytes(name)
	}
	if inner.err != nil || n.epochs[n.epoch] == nil {
		r.fail(attrEpochs)
	}
	return n, r.err
}

// subjectRow is the key table's row of a subject.
type subjectRow struct {
	rev   int64
	state State
	since time.Time
	keys  []wrappedKey // the last one seals
	dead  []keyID      // shredded
}

type wrappedKey struct {
	id      keyID
	epoch   int64 // whose key wraps it
	wrapped []byte
	uses    int64 // reserved by writers, see keyVersion
}

func (s *subjectRow) item(pk string) item {
	keys := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
	for _, k := range s.keys {
		keys.Value = append(keys.Value, &types.AttributeValueMemberM{Value: item{
			attrID: binaryOf(k.id[:]), attrEpoch: number(k.epoch), attrWrapped: binaryOf(k.wrapped), attrUses: number(k.uses),
		}})
	}
	it := item{attrPK: text(pk), attrState: text(string(s.state)), attrSince: number(s.since.UnixMilli()), attrKeys: keys}
	if len(s.dead) > 0 {
		dead := &types.AttributeValueMemberBS{}
		for _, id := range s.dead {
			dead.Value = append(dead.Value, id[:])
		}
		it[attrDead] = dead
	}
	return it
}

func readSubject(it item) (*subjectRow, error) {
	r := read(it)
	s := &subjectRow{rev: r.number(attrRev), state: State(r.text(attrState)), since: time.UnixMilli(r.number(attrSince))}
	if s.state != Shredded && !slices.Contains(slices.Collect(maps.Keys(transitions())), s.state) && r.err == nil {
		return nil, fmt.Errorf("%w: state %q is not known to this version", ErrRecord, s.state)
	}
	for _, el := range r.list(attrKeys) {
		k := &reader{it: el}
		key := wrappedKey{epoch: k.number(attrEpoch), wrapped: k.bytes(attrWrapped), uses: k.number(attrUses)}
		if id := k.bytes(attrID); len(id) == kidSize {
			key.id = keyID(id)
		} else {
			k.fail(attrID)
		}
		if k.err != nil {
			r.fail(attrKeys)
		}
		s.keys = append(s.keys, key)
	}
	if dead, ok := it[attrDead].(*types.AttributeValueMemberBS); ok {
		for _, id := range dead.Value {
			if len(id) != kidSize {
				r.fail(attrDead)
				break
			}
			s.dead = append(s.dead, keyID(id))
		}
	}
	if (s.state == Shredded) != (len(s.keys) == 0) {
		r.fail(attrKeys)
	}
	return s, r.err
}

// transitions lists where each state leads.
func transitions() map[State][]State {
	return map[State][]State{
		Active:     {Restricted, Disabled, Shredded},
		Restricted: {Active, Disabled, Shredded},
		Disabled:   {Active, Restricted, Shredded},
	}
}
