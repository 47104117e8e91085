package table

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insideout-go/insideout/idempotence"
)

// The attributes that the library writes itself.
const (
	attrPK            = "pk"
	attrSK            = "sk"
	attrDiscriminator = "discriminator"
	attrTimestamp     = "timestamp"
	attrBy            = "lastModifiedBy"
	attrRegion        = "awsregion"
	attrLatched       = "latched"
	attrDeleted       = "deleted"
	attrTTL           = "ttl"
	attrSubject       = "_sid"
	attrEnvelope      = "eem"
)

// model is the compiled definition of a node or an edge. It does not change.
type model struct {
	name, role string
	goType     reflect.Type // T
	slice      reflect.Type // []T
	handles    map[any]*handle

	lists    []*list // of the probe
	all      []field // every field of the struct that is stored, in the order of the source
	id       keyParts
	owner    keyParts  // nil for a node
	keys     *keyFunc  // instead of an id, or nil
	people   []*person // whom a row is about
	retain   time.Duration
	adopt    bool
	lanes    []*lanePlan // the owner first
	indexes  []*indexKey
	uniques  []*unique
	upgrades []func(Item) error
	sealed   []*field

	command shape // every attribute of the row, for commands
	system  shape // the system attributes alone, for commands that keep the state
	aliases []alias
	texts   texts

	rows, scratches sync.Pool // of *row and *scratch
}

// alias is the pair of placeholders of a slot.
type alias struct{ name, value string }

// shape is the list of attributes that one kind of write decides, in a fixed order. The position of an attribute in it, its
// slot, gives its placeholders, so that the text of a request depends on nothing but which attributes are present.
type shape struct {
	names   []string
	fields  []int // the fields of the model behind the system slots
	first   int   // the slot of the first field
	indexed bool  // index attributes follow the fields
	lane    int
	// The slots of what only some models have; 0 is none.
	subjectSlot, schemaSlot int  // the subjects' slots follow one another
	need                    need // of a row: the key, the system slots and the fields
}

// System slots. A named lane has only its own: see laneSlots.
const (
	slotDiscriminator = iota
	slotTimestamp
	slotBy
	slotRegion
	slotLatched
	slotDeleted
	slotTTL
	slotVersion // listeners only
)

// The system slots of a named lane, which writes no attribute that another lane writes, but for the constant latch.
const (
	laneLatched = iota
	laneDeleted
	laneVersion
)

// maxSlots bounds a row's attributes: DynamoDB takes 300 operators an expression, and the set of present attributes is a bit mask.
const maxSlots = 256

func systemSlots() []string {
	return []string{attrDiscriminator, attrTimestamp, attrBy, attrRegion, attrLatched, attrDeleted, attrTTL}
}

// layLanes puts every field that no named lane claims into the unnamed one.
func (d *definition) layLanes() {
	owner := &lanePlan{}
	claimed := map[int]idempotence.Lane{}
	for _, l := range d.lanes {
		for _, h := range l.owned {
			d.claim(l, h, claimed)
		}
		slices.Sort(l.fields)
	}
	for i := range d.all {
		if _, ok := claimed[i]; !ok && !d.isKey(i) {
			owner.fields = append(owner.fields, i)
		}
	}
	d.lanes = append([]*lanePlan{owner}, d.lanes...)
	if len(d.upgrades) > 0 && len(d.lanes) > 1 {
		d.fault("", "Upgrades: a model with lanes has no versions", "rebuild the view from its events")
	}
}

func (d *definition) claim(l *lanePlan, h *handle, claimed map[int]idempotence.Lane) {
	switch other, taken := claimed[h.stored]; {
	case d.isKey(h.stored):
		d.fault(h.goPath, fmt.Sprintf("lane %q: the field is part of the key, which is the same in all lanes", l.name), "remove it from the lane")
	case len(h.attrs) > 1:
		d.fault(h.goPath, fmt.Sprintf("lane %q: the field is nested in another", l.name), "a lane owns whole attributes: name the outer field")
	case taken:
		d.fault(h.goPath, fmt.Sprintf("lane %q: the field belongs to lane %q", l.name, other), "lanes share no attribute")
	default:
		claimed[h.stored] = l.name
		l.fields = append(l.fields, h.stored)
	}
}

// layOut fixes the slots of every kind of write.
func (d *definition) layOut() {
	var every []int
	for i := range d.all {
		if !d.isKey(i) {
			every = append(every, i)
		}
	}
	d.system = d.shapeOf(systemSlots(), nil, false)
	d.command = d.whole(systemSlots(), every)
	for i, l := range d.lanes {
		if i == 0 {
			l.shape = d.whole(append(systemSlots(), l.name.VersionAttribute()), l.fields)
			continue
		}
		l.shape = d.shapeOf([]string{attrLatched, l.name.TombstoneAttribute(), l.name.VersionAttribute()}, l.fields, false)
		l.lane = i
	}
	most := max(len(d.command.names), len(d.lanes[0].names))
	if most > maxSlots {
		d.fault("", fmt.Sprintf("the row has %d attributes, and one write can carry %d", most, maxSlots), "nest fields in structs")
		return
	}
	for i := range most {
		d.aliases = append(d.aliases, alias{"#" + strconv.Itoa(i), ":" + strconv.Itoa(i)})
	}
	d.texts.known = make(map[textKey]*text)
}

// whole is a shape of writes that know everything about the row.
func (d *definition) whole(system []string, fields []int) shape {
	var subject, schema int
	for i, p := range d.people {
		if i == 0 {
			subject = len(system)
		}
		system = append(system, p.ref)
	}
	if len(d.upgrades) > 0 {
		schema, system = len(system), append(system, attrSchema)
	}
	s := d.shapeOf(system, fields, true)
	s.subjectSlot, s.schemaSlot = subject, schema
	return s
}

func (d *definition) shapeOf(system []string, fields []int, indexed bool) shape {
	s := shape{names: system, fields: fields, first: len(system), indexed: indexed, need: need{texts: 5, digits: stampDigits}}
	for _, i := range fields {
		s.names = append(s.names, d.all[i].attr)
		s.need = s.need.and(d.all[i].need)
	}
	if indexed {
		for _, x := range d.indexes {
			s.names = append(s.names, x.written()...)
		}
	}
	for _, i := range fields {
		if attr := d.envelopeOf(i); attr != "" && !slices.Contains(s.names, attr) {
			s.names = append(s.names, attr)
		}
	}
	return s
}

// texts remembers the text of requests by what they write.
type texts struct {
	last  atomic.Pointer[text] // most rows of a model have the same attributes
	mu    sync.RWMutex
	known map[textKey]*text
}

// maxTexts bounds the memory of a model with many optional fields; texts beyond it are made anew every time.
const maxTexts = 1024

type textKey struct {
	kind writeKind
	lane uint8
	keep bool // the subject is left as it is
	mask [maxSlots / 64]uint64
}

// text is the part of an update request that does not depend on values. It is shared and never changed.
type text struct {
	key textKey
	clauses
	update, condition string
	names             map[string]string
}
