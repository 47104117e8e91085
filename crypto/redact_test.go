package crypto_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

type names struct {
	First string `json:"first" seal:"name"`
}

type patient struct {
	names
	ID      string                   `json:"id"`
	Email   string                   `json:"email" seal:"contact"`
	Phone   string                   `json:"phone" seal:"contact"`
	Born    time.Time                `json:"born" seal:"contact"`
	Illness []string                 `json:"illness" seal:"health"`
	Notes   insideout.Sealed[string] `json:"notes" seal:"name"`
	Other   string                   `seal:"unnamed"`
	Kin     map[string]*patient      `json:"kin,omitempty"`
	List    []names                  `json:"list"`
	Raw     []byte                   `json:"raw"`
	Skipped string                   `json:"-"`
	hidden  string
}

func TestRedact(t *testing.T) {
	t.Parallel()
	p := patient{
		names: names{"Ada"}, ID: "1", Email: "ada@example.com", Phone: "+49 123 4567", Born: time.Unix(0, 0), Illness: []string{marker},
		Notes: insideout.Seal(marker), Other: marker, hidden: marker, Skipped: marker, List: []names{{"Bob"}}, Raw: []byte{1},
		Kin: map[string]*patient{"child": {ID: "2", Other: marker, Phone: "123"}, "none": nil},
	}
	views := crypto.Views{"contact": crypto.Masked, "health": crypto.Absent, "name": crypto.Full, "unnamed": crypto.Redacted}
	const want = `{"first":"Ada","id":"1","email":"a****@example.com","phone":"****67","born":"[REDACTED]","notes":"[REDACTED]","Other":"[REDACTED]",
		"list":[{"first":"Bob"}],"raw":"AQ==","kin":{"none":null,"child":{"first":"","id":"2","email":"****","phone":"****","born":"[REDACTED]",
		"notes":"[REDACTED]","Other":"[REDACTED]","kin":{},"list":null,"raw":null}}}`
	raw, err := json.Marshal(views.Redact(&p))
	require.NoError(t, err)
	require.JSONEq(t, want, string(raw))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", views.Redact(p))
	printed := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed += fmt.Sprintf(verb, views.Redact(p))
	}
	require.Contains(t, printed, "a****@example.com")
	require.NotContains(t, printed+fmt.Sprint(crypto.Views(nil).Redact(p)), marker)
	require.NotContains(t, fmt.Sprint(crypto.Views(nil).Redact(p)), "Ada", "what is not named is redacted")
	require.Equal(t, "null", fmt.Sprint(views.Redact(nil)))
	require.Equal(t, "[REDACTED]", fmt.Sprint(views.Redact(struct{ F func() }{})), "no JSON form")
}
