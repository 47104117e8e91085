package gdpr

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// receiptVersion is the version of the receipt's bytes.
const receiptVersion = 1

// ErrReceipt says that a receipt does not prove what it says: it was changed, or signed by another key.
var ErrReceipt = errors.New("gdpr: the receipt does not verify")

// Outcome is how a job ended.
type Outcome string

// Outcomes. None of them is silent: a job that found nothing says so, and so does one that kept something.
const (
	Erased       Outcome = "erased"        // nothing of the subject remains but what Residuals name
	ErasedInPart Outcome = "erased-partly" // some fields are kept for the reasons in Kept
	NothingFound Outcome = "nothing-found" // no place that was asked knows the subject
	AllHeld      Outcome = "held"          // a hold covers everything: nothing was touched, and its release erases it
)

// Receipt is the proof of an erasure: what was approved, what was done in each place, what was kept and why, how it was verified, and which
// copies live on for how long. It holds no personal data: the subject is a keyed reference, rows are counts. Its bytes are canonical JSON; each
// receipt carries the hash of the one before it and an Ed25519 signature.
type Receipt struct {
	Version    int        `json:"version"`
	Number     int64      `json:"number"`   // from 1, without gaps
	Previous   string     `json:"previous"` // the hash of the receipt before this one
	Job        string     `json:"job"`
	Subject    string     `json:"subject"` // the keyed reference, as rows carry it in _sid
	Plan       string     `json:"plan"`    // the hash that was approved
	ApprovedBy string     `json:"approved_by"`
	ApprovedAt time.Time  `json:"approved_at"`
	StartedAt  time.Time  `json:"started_at"`
	EndedAt    time.Time  `json:"ended_at"`
	Outcome    Outcome    `json:"outcome"`
	Done       []Done     `json:"done"`
	Kept       []Kept     `json:"kept"`
	Checks     []Check    `json:"checks"`
	Residuals  []Residual `json:"residuals"`
	Actions    string     `json:"actions"` // SHA-256 over every action and what became of it, in order
	Key        string     `json:"key"`     // the public key, in hexadecimal
	Hash       string     `json:"hash"`
	Signature  string     `json:"signature"`
}

// Done counts what was done in one place.
type Done struct {
	Place string `json:"place"`
	Do    string `json:"do"`
	Count int    `json:"count"`
}

// Kept is what stays, and why.
type Kept struct {
	Place   string    `json:"place"`
	Field   string    `json:"field"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until"` // the latest of the rows
	Count   int       `json:"count"`
	Blocked bool      `json:"hold"` // by a hold, not by the policy
}

// Check is one thing that the verification looked at, and what it found.
type Check struct {
	Place string `json:"place"`
	Route string `json:"route"` // how it was looked for; never the way in which the plan found it
	Seen  int    `json:"seen"`
	Found int    `json:"found"`
	Note  string `json:"note,omitempty"`
}

// Residual is a copy that the job cannot reach, and when it is gone. The zero Until says that somebody has to see to it.
type Residual struct {
	Place string    `json:"place"`
	What  string    `json:"what"`
	Until time.Time `json:"until"`
}

// canonical are the bytes that are hashed: the receipt without hash and signature.
func (r Receipt) canonical() ([]byte, error) {
	r.Hash, r.Signature = "", ""
	return json.Marshal(r)
}

// sign completes a receipt.
func (r *Receipt) sign(key ed25519.PrivateKey) error {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("gdpr: the signing key is no Ed25519 key")
	}
	r.Version, r.Key = receiptVersion, hex.EncodeToString(public)
	text, err := r.canonical()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	r.Hash = hex.EncodeToString(sum[:])
	r.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, sum[:]))
	return nil
}

// Bytes are the receipt's one encoding, which VerifyReceipt reads.
func (r Receipt) Bytes() ([]byte, error) { return json.Marshal(r) }

// VerifyReceipt checks a receipt's bytes against the key of whoever signs receipts: its hash, its signature, and that the bytes are the canonical ones,
// so that a change of any byte is found. White space around them is allowed. It answers with ErrReceipt and the reason.
func VerifyReceipt(data []byte, key ed25519.PublicKey) (Receipt, error) {
	data = bytes.TrimSpace(data)
	var r Receipt
	if err := json.Unmarshal(data, &r); err != nil {
		return Receipt{}, fmt.Errorf("%w: it is no receipt: %w", ErrReceipt, err)
	}
	same, err := r.Bytes()
	if err != nil || !bytes.Equal(same, data) {
		return Receipt{}, fmt.Errorf("%w: its bytes are not those that were signed", ErrReceipt)
	}
	text, err := r.canonical()
	if err != nil {
		return Receipt{}, err
	}
	sum := sha256.Sum256(text)
	signature, err := base64.StdEncoding.Strict().DecodeString(r.Signature)
	switch {
	case r.Version != receiptVersion:
		return Receipt{}, fmt.Errorf("%w: version %d is unknown, and this program knows %d", ErrReceipt, r.Version, receiptVersion)
	case len(key) != ed25519.PublicKeySize:
		return Receipt{}, fmt.Errorf("%w: the public key has %d bytes, and Ed25519's have %d", ErrReceipt, len(key), ed25519.PublicKeySize)
	case r.Key != hex.EncodeToString(key):
		return Receipt{}, fmt.Errorf("%w: it was signed with key %.16s…, not with this one", ErrReceipt, r.Key)
	case r.Hash != hex.EncodeToString(sum[:]):
		return Receipt{}, fmt.Errorf("%w: its hash is not that of its content", ErrReceipt)
	case err != nil || !ed25519.Verify(key, sum[:], signature):
		return Receipt{}, fmt.Errorf("%w: its signature is not that of the key", ErrReceipt)
	}
	return r, nil
}

// VerifyChain checks receipts in the order of their numbers: each is whole, and each names the one before it. A chain may start late, when
// older receipts are archived; a gap within it is a fault.
func VerifyChain(receipts [][]byte, key ed25519.PublicKey) error {
	var before Receipt
	for i, data := range receipts {
		r, err := VerifyReceipt(data, key)
		if err != nil {
			return fmt.Errorf("receipt %d of %d: %w", i+1, len(receipts), err)
		}
		switch {
		case i == 0 && r.Number == 1 && r.Previous != "":
			return fmt.Errorf("%w: number 1 has one before it", ErrReceipt)
		case i > 0 && r.Number != before.Number+1:
			return fmt.Errorf("%w: number %d follows number %d", ErrReceipt, r.Number, before.Number)
		case i > 0 && r.Previous != before.Hash:
			return fmt.Errorf("%w: number %d does not carry the hash of number %d", ErrReceipt, r.Number, before.Number)
		}
		before = r
	}
	return nil
}
