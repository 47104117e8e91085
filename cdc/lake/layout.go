package lake

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"
)

const (
	suffix     = ".jsonl.gz"
	indexName  = "_index" + suffix
	hourFormat = "2006/01/02/15"
	// lateBy is how much later than it happened an event may have come to an object that is not ours: Firehose puts events
	// where they arrive, and they arrive as late as a stream keeps them.
	lateBy = 24 * time.Hour
	// earlyBy is how much earlier than it happened: Firehose names the folder after the oldest record of an object.
	earlyBy = time.Hour
)

// place is where an object lies. Places sort as objects are read: by hour, region, and name.
type place struct {
	start  time.Time
	region string
	file   string
}

func (p place) compare(o place) int {
	return cmp.Or(p.start.Compare(o.start), strings.Compare(p.region, o.region), strings.Compare(p.file, o.file))
}

func (p place) folder() string { return path.Join(p.region, hourPath(p.start)) }

// hidden reports whether a file is not for readers of events, by the convention of the tools that read such folders.
func (p place) hidden() bool { return strings.HasPrefix(p.file, "_") || strings.HasPrefix(p.file, ".") }

func hourPath(t time.Time) string { return t.UTC().Format(hourFormat) }

// placeOf parses REGION/yyyy/mm/dd/hh/FILE.
func placeOf(name string) (place, bool) {
	region, rest, ok := strings.Cut(name, "/")
	if !ok || !validRegion(region) || len(rest) <= len(hourFormat)+1 || rest[len(hourFormat)] != '/' {
		return place{}, false
	}
	start, err := time.Parse(hourFormat, rest[:len(hourFormat)])
	file := rest[len(hourFormat)+1:]
	if err != nil || strings.Contains(file, "/") {
		return place{}, false
	}
	return place{start, region, file}, true
}

func validRegion(region string) bool {
	return region != "" && strings.Trim(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// ours reports whether a lake wrote the file: one that it appends to, or one that it put at once.
func (p place) ours() bool { return appended(p.file) || putAtOnce(p.file) }

func appended(file string) bool { return fileNumber(file) > 0 }

func putAtOnce(file string) bool {
	stem, ok := strings.CutSuffix(file, suffix)
	millis, digest, found := strings.Cut(stem, "-")
	return ok && found && len(millis) >= 13 && len(digest) == 2*digestBytes &&
		strings.Trim(millis, "0123456789") == "" && strings.Trim(digest, "0123456789abcdef") == ""
}

// digestBytes of a SHA-256 tell batches apart.
const digestBytes = 16

// objectName names a batch after its content, so that one that is put again is found to be there.
func objectName(folder string, first time.Time, digest []byte) string {
	return fmt.Sprintf("%s/%013d-%x%s", folder, max(0, first.UnixMilli()), digest[:digestBytes], suffix)
}
