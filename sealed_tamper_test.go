package insideout_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// Pupil has fields of two classes, and may be about somebody else than its id says.
type Pupil struct {
	ID, Person string
	Email      string                   `dynamo:"email" seal:"contact"`
	Phone      insideout.Sealed[string] `dynamo:"phone" seal:"contact"`
	Illness    string                   `dynamo:"illness" seal:"health"`
}

// Whoever can write the table, and has no key, can put no ciphertext where it was not made: of another field, row, person, class, model or tenant, nor one
// that was changed, cut or made up. Reading the row is an authentication error each time.
func TestTamperedRowsDoNotOpen(t *testing.T) {
	t.Parallel()
	define := func(name string) *table.Node[Pupil] {
		return table.DefineNode(name, func(p *Pupil, d *table.Def[Pupil]) {
			d.ID(&p.ID)
			d.Subject(&p.Person)
		})
	}
	pupils, others := define("pupil"), define("other")
	ctx, engine := t.Context(), embedded.New(nil)
	defer func() { require.NoError(t, engine.Close()) }()
	_, err := engine.CreateTable(ctx, crypto.KeyTableSchema("keys"))
	require.NoError(t, err)
	master, err := crypto.NewLocalKey(make([]byte, 32))
	require.NoError(t, err)
	keys, err := crypto.New(engine, "keys", master, nil)
	require.NoError(t, err)
	var places []tampered
	tenants := map[string]*table.DB{}
	for _, tenant := range []string{"north", "south"} {
		sealer, err := keys.Namespace(tenant)
		require.NoError(t, err)
		require.NoError(t, table.Create(ctx, engine, tenant, table.Schema(pupils, others)))
		tenants[tenant], err = table.Open(engine, tenant, &table.Options{Sealer: sealer, Opener: sealer})
		require.NoError(t, err)
		for _, model := range []*table.Node[Pupil]{pupils, others} {
			for _, p := range []Pupil{{ID: "1", Person: "ann"}, {ID: "2", Person: "ann"}, {ID: "3", Person: "bob"}} {
				p.Email, p.Phone, p.Illness = "same", insideout.Seal("same"), "same"
				require.NoError(t, model.Save(ctx, tenants[tenant], p))
				for _, attr := range []string{"email", "phone", "illness"} {
					places = append(places, tampered{engine, tenants[tenant], model, p.ID, attr})
				}
			}
		}
	}
	for i, from := range places {
		if testing.Short() && i%5 > 0 {
			continue
		}
		ciphertext := from.ciphertext(t)
		require.NoError(t, from.put(t, ciphertext))
		for j, to := range places {
			if i != j {
				require.ErrorIs(t, to.put(t, ciphertext), crypto.ErrAuthentication, "%v in the place of %v", from, to)
			}
		}
	}
	whole := places[0].ciphertext(t)
	for at := range whole {
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		require.ErrorIs(t, places[0].put(t, changed), crypto.ErrAuthentication, "byte %d", at)
		require.ErrorIs(t, places[0].put(t, whole[:at]), crypto.ErrAuthentication, "%d bytes", at)
	}
	require.ErrorIs(t, places[0].put(t, bytes.Repeat([]byte{1}, 61)), crypto.ErrAuthentication)
	require.NoError(t, places[0].put(t, whole))
}

// tampered is a place in a row.
type tampered struct {
	engine *embedded.DB
	db     *table.DB
	model  *table.Node[Pupil]
	id     string
	attr   string
}

func (p tampered) String() string {
	return fmt.Sprintf("%s %s %s %s", p.db.Name(), p.model.Name(), p.id, p.attr)
}

func (p tampered) item(t *testing.T) table.Item {
	t.Helper()
	out, err := p.engine.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(p.db.Name()), Key: table.RowKey{PK: p.id, SK: p.model.Name()}.Item()})
	require.NoError(t, err)
	return out.Item
}

func (p tampered) ciphertext(t *testing.T) []byte {
	t.Helper()
	b, ok := p.item(t)[p.attr].(*types.AttributeValueMemberB)
	require.True(t, ok)
	return b.Value
}

// put puts a ciphertext there, reads the row, and puts back what was there.
func (p tampered) put(t *testing.T, ciphertext []byte) error {
	t.Helper()
	before, item := p.item(t), p.item(t)
	item[p.attr] = &types.AttributeValueMemberB{Value: ciphertext}
	_, err := p.engine.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(p.db.Name()), Item: item})
	require.NoError(t, err)
	got, result := p.model.Get(t.Context(), p.db, p.id)
	require.NotContains(t, fmt.Sprint(result), "same")
	if result != nil {
		require.Zero(t, got)
	}
	_, err = p.engine.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(p.db.Name()), Item: before})
	require.NoError(t, err)
	return result
}

// What an event's eem says of a value is authenticated with it: an origin that was changed, or exchanged for that of another value, opens nothing.
func TestTamperedEnvelopesDoNotOpen(t *testing.T) {
	t.Parallel()
	ctx, engine := t.Context(), embedded.New(nil)
	defer func() { require.NoError(t, engine.Close()) }()
	_, err := engine.CreateTable(ctx, crypto.KeyTableSchema("keys"))
	require.NoError(t, err)
	sealer := storyKeys(t, engine)
	var email, phone insideout.Sealed[string]
	for name, s := range map[string]*insideout.Sealed[string]{"email": &email, "phone": &phone} {
		f := insideout.SealedField{Plaintext: []byte(`"` + storyMarker + `"`), Origin: insideout.Origin{Subject: "ann", Model: "person", ID: "1", Field: name, Class: "contact"}}
		fields := []insideout.SealedField{f}
		require.NoError(t, sealer.Seal(ctx, fields))
		fields[0].Plaintext = nil
		require.NoError(t, s.SetField(fields[0]))
	}
	type body struct {
		Email insideout.Sealed[string] `json:"email"`
		Phone insideout.Sealed[string] `json:"phone"`
	}
	event := insideout.Event{ID: "1", Type: "person-created"}
	require.NoError(t, event.SetBody("person", body{email, phone}))
	raw, err := event.MarshalJSON()
	require.NoError(t, err)
	open := func(raw string) error {
		var e insideout.Event
		require.NoError(t, json.Unmarshal([]byte(raw), &e))
		got, err := insideout.Body[body](e, "person")
		if err != nil {
			return err
		}
		err = insideout.OpenSealed(ctx, sealer, &got)
		require.NotContains(t, fmt.Sprint(err), storyMarker)
		if err != nil {
			return err
		}
		_, err = got.Email.Reveal()
		return err
	}
	require.NoError(t, open(string(raw)))
	swap := strings.NewReplacer(`"/person/email":`, `"/person/phone":`, `"/person/phone":`, `"/person/email":`)
	for name, changed := range map[string]string{
		"subject": strings.ReplaceAll(string(raw), `"subject":"ann"`, `"subject":"bob"`), "no subject": strings.ReplaceAll(string(raw), `"subject":"ann",`, ""),
		"model": strings.ReplaceAll(string(raw), `"model":"person"`, `"model":"other"`), "id": strings.ReplaceAll(string(raw), `"id":"1",`, `"id":"2",`),
		"field": strings.Replace(string(raw), `"field":"email"`, `"field":"mail"`, 1), "class": strings.Replace(string(raw), `"class":"contact"`, `"class":"health"`, 1),
		"swapped": swap.Replace(string(raw)),
	} {
		require.NotEqual(t, string(raw), changed, name)
		require.ErrorIs(t, open(changed), crypto.ErrAuthentication, name)
	}
	require.Error(t, open(strings.Replace(string(raw), `"/person/email":`, `"/person/mail":`, 1)), "an origin that is missing")
}
