package kmsee

import "unicode/utf8"

// asUTF8 reads bytes as UTF-8 the way JavaScript does, and gives the UTF-8 of what was read: each maximal part of a sequence that is not valid becomes
// one U+FFFD (WHATWG Encoding, section 8.1.1). Go replaces every single byte, so its own conversion would give another passphrase.
func asUTF8(in []byte) []byte {
	var out []byte
	for len(in) > 0 {
		if r, size := utf8.DecodeRune(in); r != utf8.RuneError || size > 1 {
			out = append(out, in[:size]...)
			in = in[size:]
			continue
		}
		out = utf8.AppendRune(out, utf8.RuneError)
		in = in[badPart(in):]
	}
	return out
}

// badPart is the length of the invalid sequence at the start of in: the first byte, and what could have continued it.
func badPart(in []byte) int {
	need, low, high := 0, byte(0x80), byte(0xbf)
	switch first := in[0]; {
	case first >= 0xc2 && first <= 0xdf:
		need = 1
	case first >= 0xe0 && first <= 0xef:
		need = 2
		if first == 0xe0 {
			low = 0xa0
		}
		if first == 0xed {
			high = 0x9f
		}
	case first >= 0xf0 && first <= 0xf4:
		need = 3
		if first == 0xf0 {
			low = 0x90
		}
		if first == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for n <= need && n < len(in) && in[n] >= low && in[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}
