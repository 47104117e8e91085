package lake

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const fileSuffix = ".jsonl.gz"

// hour is the start of one, in UTC.
type hour struct{ start time.Time }

func hourOf(t time.Time) hour {
	return hour{t.UTC().Truncate(time.Hour)}
}

// path returns the folder of the hour below its region: yyyy/mm/dd/hh.
func (h hour) path() string {
	return h.start.Format("2006/01/02/15")
}

// hourFolder is a folder of the lake with the events of one hour and region.
type hourFolder struct {
	hour
	folder string
}

// hours returns the folders that may have events of the query, in time order, regions of the same hour by name.
func (l *Lake) hours(q Query) ([]hourFolder, error) {
	regions, err := l.subfolders("")
	if err != nil {
		return nil, err
	}
	var all []hourFolder
	for _, region := range regions {
		if q.Region != "" && region != q.Region {
			continue
		}
		if all, err = l.collect(all, region, region, q); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b hourFolder) int {
		return cmp.Or(a.start.Compare(b.start), strings.Compare(a.folder, b.folder))
	})
	return all, nil
}

// collect walks down from a region to its hours. Folders that are none of the layout are not the lake's business.
func (l *Lake) collect(all []hourFolder, region, folder string, q Query) ([]hourFolder, error) {
	names, err := l.subfolders(folder)
	if err != nil {
		return nil, err
	}
	depth := strings.Count(folder, "/") // 0 below a region: years
	for _, name := range names {
		if !digits(name, depth) {
			continue
		}
		below := path.Join(folder, name)
		if depth < 3 {
			if all, err = l.collect(all, region, below, q); err != nil {
				return nil, err
			}
			continue
		}
		start, err := time.Parse("2006/01/02/15", strings.TrimPrefix(below, region+"/"))
		if err == nil && q.touches(start) {
			all = append(all, hourFolder{hour{start}, below})
		}
	}
	return all, nil
}

// digits reports whether a name has the four digits of a year, or the two of anything smaller.
func digits(name string, depth int) bool {
	want := 2
	if depth == 0 {
		want = 4
	}
	return len(name) == want && strings.Trim(name, "0123456789") == ""
}

func (l *Lake) subfolders(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.FromSlash(folder)))
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// fileNumber returns the number in a file's name, 0 if it is not the name of a file of the lake.
func fileNumber(name string) int {
	text, ok := strings.CutSuffix(name, fileSuffix)
	if !ok || len(text) < 6 || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return number
}
