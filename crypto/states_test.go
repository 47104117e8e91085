package crypto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

// none is the state of a subject that has no keys.
const none = crypto.State("none")

func operations() []string {
	return []string{"activate", "restrict", "disable", "shred", "readmit", "rotate", "seal", "open"}
}

// outcome is what an operation fails with, and the state that it leaves.
type outcome struct {
	err error
	to  crypto.State
}

// transitions are the outcomes of the operations in each state.
func transitions() map[crypto.State][]outcome {
	stays := func(err error, in crypto.State) outcome { return outcome{err, in} }
	to := func(in crypto.State) outcome { return outcome{nil, in} }
	return map[crypto.State][]outcome{
		none: {
			stays(crypto.ErrUnknownKey, none), stays(crypto.ErrUnknownKey, none), stays(crypto.ErrUnknownKey, none), to(crypto.Shredded),
			stays(crypto.ErrState, none), to(crypto.Active), to(crypto.Active), stays(crypto.ErrAuthentication, none),
		},
		crypto.Active: {
			to(crypto.Active), to(crypto.Restricted), to(crypto.Disabled), to(crypto.Shredded),
			stays(crypto.ErrState, crypto.Active), to(crypto.Active), to(crypto.Active), to(crypto.Active),
		},
		crypto.Restricted: {
			to(crypto.Active), to(crypto.Restricted), to(crypto.Disabled), to(crypto.Shredded), stays(crypto.ErrState, crypto.Restricted),
			to(crypto.Restricted), to(crypto.Restricted), stays(insideout.ErrRestricted, crypto.Restricted),
		},
		crypto.Disabled: {
			to(crypto.Active), to(crypto.Restricted), to(crypto.Disabled), to(crypto.Shredded), stays(crypto.ErrState, crypto.Disabled),
			stays(insideout.ErrRestricted, crypto.Disabled), stays(insideout.ErrRestricted, crypto.Disabled), stays(insideout.ErrRestricted, crypto.Disabled),
		},
		crypto.Shredded: {
			stays(crypto.ErrState, crypto.Shredded), stays(crypto.ErrState, crypto.Shredded), stays(crypto.ErrState, crypto.Shredded), to(crypto.Shredded),
			to(crypto.Active), stays(insideout.ErrShredded, crypto.Shredded), stays(insideout.ErrShredded, crypto.Shredded), stays(insideout.ErrShredded, crypto.Shredded),
		},
	}
}

// Every operation in every state, and where it leads: nothing else is possible.
func TestEveryTransition(t *testing.T) {
	t.Parallel()
	for from, row := range transitions() {
		for i, op := range operations() {
			t.Run(string(from)+" "+op, func(t *testing.T) {
				t.Parallel()
				k := newKit(t)
				s := k.sealer(t, "shop")
				mustSeal(t, s, field("other", "email", "1"))
				sealed := field("1", "email", "1")
				sealed.Ciphertext = mustSeal(t, k.sealer(t, "shop"), field("other", "email", "1"))[0].Ciphertext
				if from != none {
					sealed = mustSeal(t, s, field("1", "email", "1"))[0]
				}
				switch from {
				case crypto.Shredded:
					_, err := s.ShredSubject(t.Context(), "1")
					require.NoError(t, err)
				case crypto.Restricted, crypto.Disabled:
					require.NoError(t, s.SetState(t.Context(), "1", from))
				}
				require.ErrorIs(t, operate(t, s, op, sealed), row[i].err)
				state, err := s.State(t.Context(), "1")
				if row[i].to == none {
					require.ErrorIs(t, err, crypto.ErrUnknownKey)
					return
				}
				require.NoError(t, err)
				require.Equal(t, row[i].to, state)
			})
		}
	}
}

func operate(t *testing.T, s *crypto.Sealer, op string, sealed insideout.SealedField) error {
	t.Helper()
	switch op {
	case "activate":
		return s.SetState(t.Context(), "1", crypto.Active)
	case "restrict":
		return s.SetState(t.Context(), "1", crypto.Restricted)
	case "disable":
		return s.SetState(t.Context(), "1", crypto.Disabled)
	case "shred":
		_, err := s.ShredSubject(t.Context(), "1")
		return err
	case "readmit":
		return s.Readmit(t.Context(), "1")
	case "rotate":
		return s.RotateSubject(t.Context(), "1")
	case "seal":
		return s.Seal(t.Context(), []insideout.SealedField{field("1", "phone", "1")})
	default:
		_, err := opened(t, s, sealed)
		return err
	}
}
