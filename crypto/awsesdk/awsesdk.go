// Package awsesdk connects package crypto to the AWS Encryption SDK: it wraps keys by any keyring of the SDK, and reads and writes the SDK's
// message format, for data that programs in other languages open with theirs.
//
// Start with [NewWrapper], whose Wrapper is a crypto.KeyWrapper, or with [NewCodec]. [Keyring] makes a keyring.
//
// The SDK for Go is generated from a verified specification, and shows it: it takes some 200 µs and thousands of allocations a message, looks at no context, has a data race in some of its
// parts, panics in constructors and prints errors badly. So it is no cipher for fields. This package lets it wrap one key an epoch, lets callers leave when their context ends, runs one
// operation at a time, turns panics and error texts into errors, and checks that a message has the encryption context that is expected. It is a module of its own, because the SDK takes long
// to build, and does not run in FIPS 140-only mode.
package awsesdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	providers "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	sdk "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygenerated"
	types "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"

	"github.com/insideout-go/insideout/crypto"
)

// What operations fail with. Test with errors.Is.
var (
	// ErrContext: the message was made for another encryption context than the one that is expected.
	ErrContext = errors.New("awsesdk: the encryption context is not the expected one")
	// ErrSDK: the SDK refused. Its text follows.
	ErrSDK = errors.New("awsesdk: the AWS Encryption SDK refused")
)

// Keyring makes a keyring with the SDK's client of material providers, such as a raw AES, a KMS or a hierarchical one. Panics
// of the SDK become errors.
func Keyring(ctx context.Context, create func(context.Context, *providers.Client) (mpl.IKeyring, error)) (mpl.IKeyring, error) {
	return guarded(ctx, nil, func() (mpl.IKeyring, error) {
		client, err := providers.NewClient(mpl.MaterialProvidersConfig{})
		if err != nil {
			return nil, err
		}
		return create(ctx, client)
	})
}

// Options of a Codec. The zero value of each field is its default.
type Options struct {
	// MaxEncryptedDataKeys bounds the wrapped keys of a message that is read, since each may cost a call of a key service. The default is 8.
	MaxEncryptedDataKeys int64
}

const (
	defaultMaxKeys = 8
	// suite is AES-256-GCM with key commitment and without a signature.
	suite = mpl.ESDKAlgorithmSuiteIdAlgAes256GcmHkdfSha512CommitKey
	// reserved is what the SDK itself puts into the context of signed messages.
	reserved = "aws-crypto-public-key"
)

// Codec reads and writes messages of the SDK, version 2 with key commitment (algorithm suite 0x0478, without a signature). It reads signed messages with commitment (0x0578) too, and
// refuses those without commitment. It is safe for concurrent use, one operation at a time.
type Codec struct {
	client  *sdk.Client
	keyring mpl.IKeyring
	turn    chan struct{}
}

// NewCodec takes the keyring that wraps the data key of each message. It does no I/O.
func NewCodec(keyring mpl.IKeyring, options *Options) (*Codec, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.MaxEncryptedDataKeys == 0 {
		o.MaxEncryptedDataKeys = defaultMaxKeys
	}
	if keyring == nil || o.MaxEncryptedDataKeys < 0 {
		return nil, fmt.Errorf("awsesdk: %w: NewCodec needs a keyring, and a maximum that is not negative", crypto.ErrInvalid)
	}
	policy := mpl.ESDKCommitmentPolicyRequireEncryptRequireDecrypt
	client, err := guarded(context.Background(), nil, func() (*sdk.Client, error) {
		return sdk.NewClient(types.AwsEncryptionSdkConfig{CommitmentPolicy: &policy, MaxEncryptedDataKeys: &o.MaxEncryptedDataKeys})
	})
	if err != nil {
		return nil, err
	}
	return &Codec{client, keyring, make(chan struct{}, 1)}, nil
}

// Encrypt makes a message. The encryption context is authenticated, and stands in the message in plain text: nothing personal
// belongs there. It costs a call of the keyring.
func (c *Codec) Encrypt(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	if _, ok := encryptionContext[reserved]; ok {
		return nil, fmt.Errorf("awsesdk: %w: the name %q of the encryption context is the SDK's own", crypto.ErrInvalid, reserved)
	}
	id := suite
	out, err := guarded(ctx, c.turn, func() (*types.EncryptOutput, error) {
		return c.client.Encrypt(ctx, types.EncryptInput{
			Plaintext: plaintext, Keyring: c.keyring, EncryptionContext: maps.Clone(encryptionContext), AlgorithmSuiteId: &id,
		})
	})
	if err != nil {
		return nil, err
	}
	return out.Ciphertext, nil
}

// Decrypt opens a message whose encryption context is exactly the expected one; otherwise it is ErrContext. It costs a call of the keyring.
func (c *Codec) Decrypt(ctx context.Context, message []byte, expected map[string]string) ([]byte, error) {
	out, err := guarded(ctx, c.turn, func() (*types.DecryptOutput, error) {
		return c.client.Decrypt(ctx, types.DecryptInput{Ciphertext: message, Keyring: c.keyring})
	})
	if err != nil {
		return nil, err
	}
	found := maps.Clone(out.EncryptionContext)
	delete(found, reserved)
	if !maps.Equal(found, expected) {
		clear(out.Plaintext)
		return nil, ErrContext
	}
	return out.Plaintext, nil
}

// Wrapper wraps keys in messages of the SDK. It is safe for concurrent use.
type Wrapper struct{ codec *Codec }

var _ crypto.KeyWrapper = (*Wrapper)(nil)

// NewWrapper takes the keyring that wraps: it is asked once an epoch and process in crypto.Options.MasterTTL.
func NewWrapper(keyring mpl.IKeyring) (*Wrapper, error) {
	codec, err := NewCodec(keyring, nil)
	return &Wrapper{codec}, err
}

// Wrap implements crypto.KeyWrapper: the result is a message, and the binding its encryption context.
func (w *Wrapper) Wrap(ctx context.Context, key []byte, binding map[string]string) ([]byte, error) {
	return w.codec.Encrypt(ctx, key, binding)
}

// Unwrap implements crypto.KeyWrapper.
func (w *Wrapper) Unwrap(ctx context.Context, wrapped []byte, binding map[string]string) ([]byte, error) {
	key, err := w.codec.Decrypt(ctx, wrapped, binding)
	if errors.Is(err, ErrContext) {
		return nil, fmt.Errorf("%w: %w", crypto.ErrRecord, err)
	}
	return key, err
}

// guarded runs an operation of the SDK: when it is its turn, away from the caller, who leaves when the context ends, and without letting a panic through. The SDK goes on behind
// a caller who left, since it cannot be stopped, and keeps its turn until it ends.
func guarded[T any](ctx context.Context, turn chan struct{}, f func() (T, error)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	if turn != nil {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return zero, ctx.Err()
		}
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("%w: it panicked, which it does for a configuration that is wrong: %v", ErrSDK, p)
			}
			if turn != nil {
				<-turn
			}
			answers <- a
		}()
		if a.value, a.err = f(); a.err != nil {
			a.err = &refusal{clean(a.err.Error()), a.err}
		}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

// refusal is an error of the SDK with a text that can be read.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string   { return ErrSDK.Error() + ": " + r.text }
func (r *refusal) Unwrap() []error { return []error{ErrSDK, r.cause} }

// clean takes what the generated formatting leaves behind out of a text.
func clean(text string) string {
	text = strings.NewReplacer("%!s(*string=<nil>): ", "", "message: ", "", "\n err ", ": ", "\n", " ").Replace(text)
	return strings.TrimSpace(text)
}
