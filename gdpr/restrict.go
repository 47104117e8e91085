package gdpr

import (
	"context"
	"fmt"

	"github.com/insideout-go/insideout/crypto"
)

// restrictable is a place that can keep a subject's data from being read, without changing it.
type restrictable interface {
	restrict(ctx context.Context, subject string, to crypto.State) error
}

// Restrict keeps what is sealed of a subject from being opened, and leaves it as it is (Art. 18): for the time in which its correctness, or the right to it, is
// disputed. Fields that are not sealed are not restricted.
func (c *Controller) Restrict(ctx context.Context, subject string) error {
	return c.setState(ctx, subject, crypto.Restricted)
}

// Unrestrict ends a restriction.
func (c *Controller) Unrestrict(ctx context.Context, subject string) error {
	return c.setState(ctx, subject, crypto.Active)
}

func (c *Controller) setState(ctx context.Context, subject string, to crypto.State) error {
	if err := validSubject(subject); err != nil {
		return err
	}
	places := 0
	for _, p := range c.places {
		r, ok := p.(restrictable)
		if !ok {
			continue
		}
		if err := r.restrict(ctx, subject, to); err != nil {
			return fmt.Errorf("gdpr: place %q: %w", p.Name(), err)
		}
		places++
	}
	if places == 0 {
		return inputf("no place seals anything, so nothing can be restricted: give the controller Keys")
	}
	return nil
}

func (k *keyring) restrict(ctx context.Context, subject string, to crypto.State) error {
	return k.sealer.SetState(ctx, subject, to)
}

func (cmd *command) restrict(ctx context.Context, subject string) (int, error) {
	if err := cmd.c.Restrict(ctx, subject); err != nil {
		return 0, err
	}
	return exitDone, cmd.say(map[string]string{"restricted": "yes"}, "what is sealed of the subject opens nowhere until unrestrict\n")
}

func (cmd *command) unrestrict(ctx context.Context, subject string) (int, error) {
	if err := cmd.c.Unrestrict(ctx, subject); err != nil {
		return 0, err
	}
	return exitDone, cmd.say(map[string]string{"restricted": "no"}, "what is sealed of the subject opens again\n")
}
