package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Dependencies returns the modules that a go.mod text requires directly, without versions, sorted.
func Dependencies(text string) []string {
	var modules []string
	inBlock := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			inBlock = true
			continue
		case line == ")":
			inBlock = false
		}
		single, isSingle := strings.CutPrefix(line, "require ")
		if !inBlock && !isSingle || strings.HasSuffix(line, "// indirect") {
			continue
		}
		if fields := strings.Fields(single); len(fields) >= 2 {
			modules = append(modules, fields[0])
		}
	}
	slices.Sort(modules)
	return modules
}

// Texts reads the files of the module that people and machines read: sources, documents, scripts and settings. Folders of
// caches and of version control are left out.
func Texts(root string) (map[string]string, error) {
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == filepath.Join(root, ".git") || name == filepath.Join(root, ".ci", "cache") {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return err
		}
		text, err := os.ReadFile(name)
		texts[filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))] = string(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	return texts, nil
}

// Registries finds names of hosts that packages are fetched from: where a machine fetches from is that machine's business.
func Registries(texts map[string]string) []string {
	// In pieces, so that this file does not find itself.
	hosts := []string{"proxy." + "golang.org", "sum." + "golang.org", "registry." + "npmjs", "repo1." + "maven", "repo." + "maven", "pypi." + "org", "go" + "proxy=", "index" + "-url"}
	var faults []string
	for _, name := range sortedKeys(texts) {
		number := 0
		for line := range strings.Lines(texts[name]) {
			number++
			for _, host := range hosts {
				if strings.Contains(strings.ToLower(line), host) {
					faults = append(faults, fmt.Sprintf("%s:%d: names a package registry (%s)", name, number, host))
				}
			}
		}
	}
	return faults
}
