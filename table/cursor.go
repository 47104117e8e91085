package table

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// A cursor is base64url (no padding) of: version (1 byte), key id (4 bytes), nonce (12 bytes), AES-256-GCM of the position.
// The additional data are the bytes before the ciphertext and the fingerprint of the query.
const (
	cursorVersion = 1
	cursorKeySize = 32
	cursorKeyID   = 4
)

// sealer seals cursors, so that they show no key and cannot be made up.
type sealer struct {
	ids  [][]byte
	aead []cipher.AEAD
}

func newSealer(keys [][]byte) (*sealer, error) {
	s := &sealer{}
	for i, key := range keys {
		if len(key) != cursorKeySize {
			return nil, invalid("CursorKeys[%d] has %d bytes, and must have %d", i, len(key), cursorKeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, invalid("CursorKeys[%d]: %w", i, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, invalid("CursorKeys[%d]: %w", i, err)
		}
		id := sha256.Sum256(append([]byte("insideout cursor key id\x00"), key...))
		s.ids = append(s.ids, id[:cursorKeyID])
		s.aead = append(s.aead, aead)
	}
	return s, nil
}

func (s *sealer) seal(position, fingerprint []byte) string {
	head := append([]byte{cursorVersion}, s.ids[0]...)
	nonce := make([]byte, s.aead[0].NonceSize())
	_, _ = rand.Read(nonce) // never fails
	head = append(head, nonce...)
	sealed := s.aead[0].Seal(nil, nonce, position, append(bytes.Clone(head), fingerprint...))
	return base64.RawURLEncoding.EncodeToString(append(head, sealed...))
}

func (s *sealer) open(cursor string, fingerprint []byte) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != cursor { // there is one text of a cursor: the decoder takes line ends and stray bits
		return nil, fmt.Errorf("%w: it is not base64url text", ErrCursor)
	}
	headSize := 1 + cursorKeyID + s.aead[0].NonceSize()
	if len(raw) < headSize || raw[0] != cursorVersion {
		return nil, fmt.Errorf("%w: it is not one of this version's", ErrCursor)
	}
	head, sealed := raw[:headSize], raw[headSize:]
	for i, id := range s.ids {
		if !bytes.Equal(id, head[1:1+cursorKeyID]) {
			continue
		}
		position, err := s.aead[i].Open(nil, head[1+cursorKeyID:], sealed, append(bytes.Clone(head), fingerprint...))
		if err != nil {
			return nil, fmt.Errorf("%w: it belongs to another query, or was changed", ErrCursor)
		}
		return position, nil
	}
	return nil, fmt.Errorf("%w: it was sealed with a key that this DB does not have", ErrCursor)
}

// appendText writes a text with its length in front, so that two lists of texts never look alike.
func appendText(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// cutText reads what appendText wrote.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, false
	}
	b = b[used:]
	return string(b[:n]), b[n:], true
}
