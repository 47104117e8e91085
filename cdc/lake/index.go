package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/insideout-go/insideout"
)

// Summary is what the index says about an object.
type Summary struct {
	Events int            // how many there are
	From   time.Time      // when the first one of them happened
	To     time.Time      // when the last one of them happened
	Types  map[string]int // how many there are of each type

	keys []uint32 // hashes of the partition keys, sorted
}

const indexVersion = 1

// indexHead is the first line of an index.
type indexHead struct {
	Index int `json:"insideoutLakeIndex"` // the version of the format
}

// indexLine is a line of an index: what one version of an object holds.
type indexLine struct {
	Object  string         `json:"object"` // its name within the hour's folder
	Version string         `json:"version"`
	Events  int            `json:"events"`
	From    int64          `json:"from"` // milliseconds
	To      int64          `json:"to"`
	Types   map[string]int `json:"types"`
	Keys    string         `json:"keys"` // base64 of the differences between the sorted hashes, as variable-length numbers
}

// index is what is known about the objects of an hour, by their names. It can be lost: it is made again when it is needed.
type index struct {
	lines   map[string]indexLine
	version string // of the object that has it; empty if there is none
}

// keyHash stands for a partition key in the index. It is short on purpose: many keys have the same one, so that it tells of nobody
// in particular.
func keyHash(key string) uint32 {
	sum := sha256.Sum256([]byte("insideout lake key " + key))
	return binary.BigEndian.Uint32(sum[:])
}

// may reports whether an object may have events of the query.
func (f *filter) may(s *Summary) bool {
	if s.Events == 0 || !f.From.IsZero() && s.To.Before(f.From) || !f.To.IsZero() && !s.From.Before(f.To) {
		return false
	}
	if len(f.Types) > 0 && !slices.ContainsFunc(f.Types, func(t string) bool { return s.Types[t] > 0 }) {
		return false
	}
	return len(f.hashes) == 0 || slices.ContainsFunc(f.hashes, func(hash uint32) bool {
		_, found := slices.BinarySearch(s.keys, hash)
		return found
	})
}

// add counts an event.
func (s *Summary) add(e *insideout.Event, keys map[string]uint32) {
	if s.Events == 0 || e.Timestamp.Before(s.From) {
		s.From = e.Timestamp
	}
	if s.Events == 0 || e.Timestamp.After(s.To) {
		s.To = e.Timestamp
	}
	s.Events++
	s.Types[e.Type]++
	if _, ok := keys[e.PartitionKey]; !ok {
		keys[e.PartitionKey] = keyHash(e.PartitionKey)
	}
}

func (s *Summary) merge(o *Summary) {
	if o.Events == 0 {
		return
	}
	if s.Events == 0 || o.From.Before(s.From) {
		s.From = o.From
	}
	if s.Events == 0 || o.To.After(s.To) {
		s.To = o.To
	}
	s.Events += o.Events
	for kind, n := range o.Types {
		s.Types[kind] += n
	}
	s.keys = append(s.keys, o.keys...)
}

func newSummary() *Summary { return &Summary{Types: map[string]int{}} }

// sort makes the hashes ready for a search.
func (s *Summary) sort() {
	slices.Sort(s.keys)
	s.keys = slices.Compact(s.keys)
}

func (s *Summary) line(o Object) indexLine {
	var packed []byte
	last := uint32(0)
	for _, hash := range s.keys {
		packed = binary.AppendUvarint(packed, uint64(hash-last))
		last = hash
	}
	return indexLine{
		Object: path.Base(o.Name), Version: o.Version, Events: s.Events, From: s.From.UnixMilli(), To: s.To.UnixMilli(),
		Types: s.Types, Keys: base64.StdEncoding.EncodeToString(packed),
	}
}

func (i indexLine) summary() (*Summary, error) {
	packed, err := base64.StdEncoding.DecodeString(i.Keys)
	if err != nil {
		return nil, err
	}
	s := &Summary{Events: i.Events, From: time.UnixMilli(i.From).UTC(), To: time.UnixMilli(i.To).UTC(), Types: i.Types}
	hash := uint64(0)
	for len(packed) > 0 {
		step, n := binary.Uvarint(packed)
		if hash += step; n <= 0 || hash > 1<<32-1 {
			return nil, errors.New("the hashes of keys are damaged")
		}
		s.keys, packed = append(s.keys, uint32(hash)), packed[n:]
	}
	return s, nil
}

// loadIndex reads the index of an hour. One that is missing, or of another version, or damaged, is empty: it is made again.
func (l *Lake) loadIndex(ctx context.Context, folder string) (*index, error) {
	i := &index{lines: map[string]indexLine{}}
	c, err := l.store.Open(ctx, path.Join(folder, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return i, nil
	}
	if err != nil {
		return nil, err
	}
	i.version = c.Version
	if err := i.read(c); err != nil {
		l.warn("lake: the index is made again", "folder", folder, "error", err)
		clear(i.lines)
	}
	return i, c.Close()
}

func (i *index) read(c Content) error {
	for m, err := range members(c) {
		if err != nil {
			return err
		}
		lines := json.NewDecoder(bytes.NewReader(m.data))
		var head indexHead
		if err := lines.Decode(&head); err != nil || head.Index != indexVersion {
			return fmt.Errorf("it is not of version %d", indexVersion)
		}
		for {
			var line indexLine
			err := lines.Decode(&line)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			i.lines[line.Object] = line
		}
	}
	return nil
}

// summary returns what the index knows about an object in its present version.
func (i *index) summary(o Object) *Summary {
	line, ok := i.lines[path.Base(o.Name)]
	if !ok || line.Version != o.Version {
		return nil
	}
	s, err := line.summary()
	if err != nil {
		return nil
	}
	return s
}

// maxTries of a conditional write, before another writer is held to be in the way for good.
const maxTries = 10

// saveIndex puts lines into the index of an hour, and takes out those of objects that are not there any more in that version.
func (l *Lake) saveIndex(ctx context.Context, folder string, lines []indexLine) error {
	for try := 1; ; try++ {
		err := l.trySaveIndex(ctx, folder, lines)
		if !errors.Is(err, ErrChanged) || try == maxTries {
			return err
		}
	}
}

func (l *Lake) trySaveIndex(ctx context.Context, folder string, lines []indexLine) error {
	i, err := l.loadIndex(ctx, folder)
	if err != nil {
		return err
	}
	for _, line := range lines {
		i.lines[line.Object] = line
	}
	var kept []indexLine
	for object, err := range l.store.List(ctx, folder+"/", "") {
		if err != nil {
			return err
		}
		if line, ok := i.lines[path.Base(object.Name)]; ok && line.Version == object.Version {
			kept = append(kept, line)
		}
	}
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	err = out.Encode(indexHead{indexVersion})
	for _, line := range kept {
		err = errors.Join(err, out.Encode(line))
	}
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	data, err := l.gzip(text.Bytes())
	if err != nil {
		return err
	}
	_, err = l.store.Put(ctx, path.Join(folder, indexName), data, i.version)
	return err
}
