package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/insideout-go/insideout"
)

// A sealed field is: algorithm (1) | key id (16) | nonce (12) | ciphertext | tag (16). See docs/sealing-format.md.
const (
	algAES256GCM = 1
	keySize      = 32
	kidSize      = 16
	nonceSize    = 12
	tagSize      = 16
	headSize     = 1 + kidSize
	overhead     = headSize + nonceSize + tagSize
)

// The domains of derived keys and of additional data. Each names the version of its use: a change is a new name.
const (
	domainSeal    = "insideout/seal/v1"
	domainWrap    = "insideout/wrap/v1"
	domainSubject = "insideout/subject/v1"
	domainIndex   = "insideout/index/v1"
)

// keyID names a sealing key and commits to it: it is derived from the key, and checked when the key is unwrapped.
type keyID [kidSize]byte

// appendText adds a text with its length, so that no two lists of texts give the same bytes.
func appendText(dst []byte, text string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text))) //nolint:gosec // texts of 4 GiB do not occur: a row has 400 KB
	return append(dst, text...)
}

func texts(list ...string) []byte {
	var dst []byte
	for _, t := range list {
		dst = appendText(dst, t)
	}
	return dst
}

// derive is HKDF-SHA256 without a salt: the secrets are uniformly random.
func derive(secret []byte, size int, info ...string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, string(texts(info...)), size)
}

// sealingKey derives the cipher and the id of a subject's secret.
func sealingKey(secret []byte, namespace, ref string) (cipher.AEAD, keyID, error) {
	material, err := derive(secret, keySize+kidSize, domainSeal, namespace, ref)
	if err != nil {
		return nil, keyID{}, err
	}
	defer clear(material)
	aead, err := newAEAD(material[:keySize])
	return aead, keyID(material[keySize:]), err
}

// newAEAD picks its nonces at random by itself, so that none can be chosen, and runs in FIPS 140-only mode.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// appendAAD adds the additional data of a value: all that says where it belongs.
func appendAAD(dst []byte, kid *keyID, namespace string, o *insideout.Origin) []byte {
	dst = appendText(dst, domainSeal)
	dst = append(dst, algAES256GCM)
	dst = append(dst, kid[:]...)
	dst = appendText(dst, namespace)
	dst = appendText(dst, o.Subject)
	dst = appendText(dst, o.Model)
	dst = appendText(dst, o.ID)
	dst = appendText(dst, o.Field)
	return appendText(dst, o.Class)
}

// sealValue is a new sealed field.
func sealValue(aead cipher.AEAD, kid *keyID, plaintext, aad []byte) []byte {
	out := make([]byte, headSize, overhead+len(plaintext))
	out[0] = algAES256GCM
	copy(out[1:], kid[:])
	return aead.Seal(out, nil, plaintext, aad)
}

// openValue opens what sealValue made. The head has been read.
func openValue(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	plaintext, err := aead.Open(nil, nil, sealed[headSize:], aad)
	if err != nil {
		return nil, foreign("it does not open under its key")
	}
	if plaintext == nil {
		plaintext = []byte{}
	}
	return plaintext, nil
}

// readHead is the key id of a sealed field.
func readHead(sealed []byte) (keyID, error) {
	if len(sealed) < overhead {
		return keyID{}, foreign("it has %d bytes, and a sealed value has %d at least", len(sealed), overhead)
	}
	if sealed[0] != algAES256GCM {
		return keyID{}, foreign("algorithm %d is not known", sealed[0])
	}
	return keyID(sealed[1:headSize]), nil
}

// wrapKey seals a key under another one, bound to what it is for.
func wrapKey(kek cipher.AEAD, key []byte, bound ...string) []byte {
	return kek.Seal([]byte{algAES256GCM}, nil, key, texts(append([]string{domainWrap}, bound...)...))
}

func unwrapKey(kek cipher.AEAD, wrapped []byte, bound ...string) ([]byte, error) {
	if len(wrapped) != 1+nonceSize+keySize+tagSize || wrapped[0] != algAES256GCM {
		return nil, fmt.Errorf("%w: it is not a wrapped key", ErrRecord)
	}
	key, err := kek.Open(nil, nil, wrapped[1:], texts(append([]string{domainWrap}, bound...)...))
	if err != nil {
		return nil, fmt.Errorf("%w: a wrapped key does not open", ErrRecord)
	}
	return key, nil
}

// mac is a keyed hash of a text.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
