package lake

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxMember is the size, decompressed, of what is read and checked as a whole. Firehose buffers half of it.
const maxMember = 256 << 20

var errLong = fmt.Errorf("it holds more than %d MiB", maxMember>>20)

// member is a part of an object that was checked and decompressed: a gzip member, or the whole of an object that is not compressed.
type member struct {
	data       []byte // the reader's own
	start, end int64  // where it lies in the object
	plain      bool   // it is not compressed
}

// members reads the members of an object one after another. In an object that grows it ends before one that is torn, as
// one is while it is written or after a crash. Any other damage is an error, the last element.
func members(c Content) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		src := newCounter(c)
		// What is not compressed is told by its first bytes, and not by its name.
		if magic, err := src.r.Peek(2); err == nil && !c.Growing && !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
			m, err := readPlain(c)
			yield(m, err)
			return
		}
		var unpacker gzip.Reader
		for {
			start := src.n
			data, err := unpack(&unpacker, src)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				if err := torn(c, start, err); err != nil {
					yield(member{}, err)
				}
				return
			}
			if !yield(member{data: data, start: start, end: src.n}, nil) {
				return
			}
		}
	}
}

// unpack reads one gzip member whole, checksum and length included. It returns [io.EOF] if there is none.
func unpack(unpacker *gzip.Reader, src *counter) ([]byte, error) {
	if _, err := src.r.Peek(1); err != nil {
		return nil, err
	}
	if err := unpacker.Reset(src); err != nil {
		return nil, noEOF(err)
	}
	unpacker.Multistream(false)
	var dst bytes.Buffer
	n, err := io.Copy(&dst, io.LimitReader(unpacker, maxMember+1))
	if err != nil {
		return nil, noEOF(err)
	}
	if n > maxMember {
		return nil, errLong
	}
	return dst.Bytes(), nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readPlain reads an object that is not compressed.
func readPlain(c Content) (member, error) {
	if c.Bytes > maxMember {
		return member{}, damage(c.Name, 0, 0, errLong)
	}
	data := make([]byte, c.Bytes)
	if _, err := io.ReadFull(io.NewSectionReader(c, 0, c.Bytes), data); err != nil {
		return member{}, fmt.Errorf("lake: %q: %w", c.Name, err)
	}
	return member{data: data, end: c.Bytes, plain: true}, nil
}

// torn looks at the rest of an object, from start on, after a member did not unpack. It returns nil if that may be what a
// writer has not finished.
//
// A torn member is one that misses its end, or nothing but zeros, which some file systems leave after a power failure. Where
// a whole member follows, it cannot be torn, whatever the decompressor says about it.
func torn(c Content, start int64, cause error) error {
	if !isCorrupt(cause) {
		return fmt.Errorf("lake: %q: %w", c.Name, cause)
	}
	rest := make([]byte, c.Bytes-start)
	if _, err := io.ReadFull(io.NewSectionReader(c, start, c.Bytes-start), rest); err != nil {
		return fmt.Errorf("lake: %q: %w", c.Name, err)
	}
	zeros := len(bytes.Trim(rest, "\x00")) == 0
	if c.Growing && (errors.Is(cause, io.ErrUnexpectedEOF) || zeros) && !hasMember(rest) {
		return nil
	}
	return damage(c.Name, 0, start, cause)
}

// isCorrupt tells what the decompressor found from what the disk or the network did.
func isCorrupt(err error) bool {
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, errLong)
}

// hasMember reports whether a whole gzip member starts somewhere after the first byte.
func hasMember(data []byte) bool {
	magic := []byte{0x1f, 0x8b, 8, 0}
	var unpacker gzip.Reader
	for at := 1; at < len(data); at++ {
		next := bytes.Index(data[at:], magic)
		if next < 0 {
			return false
		}
		at += next
		if _, err := unpack(&unpacker, &counter{r: bufio.NewReader(bytes.NewReader(data[at:]))}); err == nil {
			return true
		}
	}
	return false
}

// damage names the object and where in it something is wrong: the line of the decompressed text, or the byte of the object.
func damage(name string, line int, at int64, cause error) error {
	if line > 0 {
		return fmt.Errorf("%w: %q, line %d: %w", ErrDamaged, name, line, cause)
	}
	return fmt.Errorf("%w: %q, at byte %d: %w", ErrDamaged, name, at, cause)
}

// counter counts the bytes that the decompressor takes, which ends exactly with each member since it reads byte by byte.
type counter struct {
	r *bufio.Reader
	n int64
}

func newCounter(c Content) *counter {
	return &counter{r: bufio.NewReaderSize(io.NewSectionReader(c, 0, c.Bytes), 64<<10)}
}

// Read takes what is there.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte makes the decompressor read no further than it needs.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}
