// Package awskms keeps the master keys of package crypto in AWS KMS.
//
// Start with [New]. A [Wrapper] asks KMS when a namespace is first used and then once in crypto.Options.MasterTTL, whatever the number of subjects and
// fields: with a hundred processes and the default of five minutes, less than a million calls a month. KMS rotates its own key material without any doing here.
//
// # Rights
//
// kms:Encrypt for what makes namespaces and rotates epochs (the first writer of a tenant), kms:Decrypt for all that seals or opens. A service that only
// carries ciphertext needs neither. Each call has the encryption context insideout:namespace and insideout:epoch, which a key policy can
// require (kms:EncryptionContext:insideout:namespace), and which CloudTrail logs: it holds nothing personal.
//
// # Regions
//
// With a multi-Region key (its id begins with mrk-, and is the same everywhere), give the clients of several regions: the first one that can be reached answers. What one region has
// wrapped, every other one unwraps.
package awskms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/insideout-go/insideout/crypto"
)

// Client is what a Wrapper needs of KMS: a part of *kms.Client.
type Client interface {
	Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// Options of a Wrapper. The zero value of each field is its default.
type Options struct {
	// Others are clients of other regions, in the order in which they are tried while the first one cannot be reached, is throttled or broken. The key
	// must be a multi-Region key that is named by its id or by an alias that every region has.
	Others []Client
	// Timeout bounds each call of a region. The default is none with one region, since the caller's context rules, and two seconds with
	// several.
	Timeout time.Duration
}

const defaultTimeout = 2 * time.Second

// Wrapper wraps and unwraps keys with a key of KMS. It is safe for concurrent use.
type Wrapper struct {
	clients []Client
	key     string
	timeout time.Duration
}

var _ crypto.KeyWrapper = (*Wrapper)(nil)

// New takes a symmetric encryption key by its id, ARN or alias ("alias/my-service"). It does no I/O: that the key exists and may be used
// shows with the first call.
func New(client Client, key string, options *Options) (*Wrapper, error) {
	var o Options
	if options != nil {
		o = *options
	}
	var faults []error
	check := func(bad bool, text string) {
		if bad {
			faults = append(faults, fmt.Errorf("%w: %s", crypto.ErrInvalid, text))
		}
	}
	check(client == nil, "a client of KMS is missing")
	check(key == "", "the key's id, ARN or alias is missing")
	check(o.Timeout < 0, "the timeout is negative")
	for _, c := range o.Others {
		check(c == nil, "a client of another region is missing")
	}
	shared := strings.HasPrefix(key, "mrk-") || strings.HasPrefix(key, "alias/")
	check(len(o.Others) > 0 && key != "" && !shared, "with several regions, name the key by its multi-Region id (mrk-…) or by an alias that every region has")
	if len(faults) > 0 {
		return nil, fmt.Errorf("awskms: %w", errors.Join(faults...))
	}
	if len(o.Others) > 0 && o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Wrapper{append([]Client{client}, o.Others...), key, o.Timeout}, nil
}

// Wrap implements crypto.KeyWrapper. The result is KMS's CiphertextBlob.
func (w *Wrapper) Wrap(ctx context.Context, key []byte, binding map[string]string) ([]byte, error) {
	return w.try(ctx, func(ctx context.Context, c Client) ([]byte, error) {
		out, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: key, EncryptionContext: binding})
		if err != nil {
			return nil, err
		}
		return out.CiphertextBlob, nil
	})
}

// Unwrap implements crypto.KeyWrapper. It names the key, so that KMS opens nothing that another key has wrapped.
func (w *Wrapper) Unwrap(ctx context.Context, wrapped []byte, binding map[string]string) ([]byte, error) {
	return w.try(ctx, func(ctx context.Context, c Client) ([]byte, error) {
		out, err := c.Decrypt(ctx, &kms.DecryptInput{KeyId: &w.key, CiphertextBlob: wrapped, EncryptionContext: binding})
		if err != nil {
			return nil, err
		}
		return out.Plaintext, nil
	})
}

// try asks one region after the other.
func (w *Wrapper) try(ctx context.Context, call func(context.Context, Client) ([]byte, error)) ([]byte, error) {
	var faults []error
	for _, c := range w.clients {
		out, err := w.once(ctx, c, call)
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		faults = append(faults, w.explain(err))
		if !elsewhere(err) {
			break
		}
	}
	return nil, errors.Join(faults...)
}

func (w *Wrapper) once(ctx context.Context, c Client, call func(context.Context, Client) ([]byte, error)) ([]byte, error) {
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	return call(ctx, c)
}

// elsewhere says whether another region may do better.
func elsewhere(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return true // it did not come to an answer
	}
	if api.ErrorFault() == smithy.FaultServer {
		return true
	}
	switch api.ErrorCode() {
	case "ThrottlingException", "LimitExceededException", "KeyUnavailableException", "DependencyTimeoutException", "KMSInternalException", "ServiceUnavailable":
		return true
	default:
		return false
	}
}

// explain says what to do, and keeps the cause.
func (w *Wrapper) explain(err error) error {
	if _, ok := errors.AsType[*types.InvalidCiphertextException](err); ok {
		return fmt.Errorf("awskms: %w: the key %q has not wrapped it, or not for this namespace and epoch: %w", crypto.ErrRecord, w.key, err)
	}
	if _, ok := errors.AsType[*types.IncorrectKeyException](err); ok {
		return fmt.Errorf("awskms: %w: another key than %q has wrapped it: %w", crypto.ErrRecord, w.key, err)
	}
	advice := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		advice = adviceFor(api.ErrorCode())
	}
	return fmt.Errorf("awskms: key %q%s: %w", w.key, advice, err)
}

func adviceFor(code string) string {
	switch code {
	case "AccessDeniedException":
		return " may not be used: it takes kms:Encrypt and kms:Decrypt, in the key's policy or by IAM"
	case "NotFoundException":
		return " does not exist in this account and region"
	case "DisabledException":
		return " is disabled: enable it to go on"
	case "KMSInvalidStateException":
		return " is in no state to be used: if its deletion is scheduled, cancel that to keep the data"
	case "InvalidKeyUsageException":
		return " is not a symmetric key to encrypt with"
	case "ThrottlingException", "LimitExceededException":
		return " is asked too often: raise MasterTTL, or the quota"
	default:
		return ""
	}
}

// Format prints the key's name.
func (w *Wrapper) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "awskms.Wrapper(%q, %d regions)", w.key, len(w.clients))
}
