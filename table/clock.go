package table

import (
	"sync/atomic"
	"time"
)

// clock gives the commands on one row times that differ: the millisecond, or the next one after the last that was given. So a
// row that has a command's very timestamp has it from that command, or from another process. Rows share slots; a slot would have to
// see more than a thousand writes a second for its times to run ahead.
type clock struct{ last [256]atomic.Int64 }

// next is the time for a command on a row, not before the given millisecond. That is a row's own, and moves no others ahead.
func (c *clock) next(key RowKey, floor int64) time.Time {
	slot := &c.last[key.hash()%uint32(len(c.last))]
	for {
		last := slot.Load()
		ms := max(time.Now().UnixMilli(), last+1)
		if slot.CompareAndSwap(last, ms) {
			return time.UnixMilli(max(ms, floor))
		}
	}
}

// hash is FNV-1a: the same in every process, so that requests are.
func (k RowKey) hash() uint32 {
	h := uint32(2166136261)
	for _, s := range [...]string{k.PK, k.SK} {
		for i := range len(s) {
			h = (h ^ uint32(s[i])) * 16777619
		}
	}
	return h
}
