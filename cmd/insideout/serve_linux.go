package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetStart gives back the pages of the program's own file that are in memory because it has started: the kernel maps
// sixteen for each one that is needed, and most belong to the initialization of packages that serve does not use. What
// is needed again comes from the page cache. Only mappings that can be read alone and that have no pages of their own are
// touched (a page that is dirty is one of a file that was just built); where the kernel gives no account of them, nothing
// happens.
func forgetStart() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	var from, to uintptr
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		line := lines.Text()
		var low, high uintptr
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &low, &high, &mode); n == 3 {
			from, to = 0, 0
			if strings.HasSuffix(line, " "+program) && (mode == "r-xp" || mode == "r--p") {
				from, to = low, high
			}
			continue
		}
		if to != 0 && strings.HasPrefix(line, "Anonymous:") && strings.HasSuffix(line, " 0 kB") {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_RANDOM)
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
