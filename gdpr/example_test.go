package gdpr_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"

	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Member says at each field what an erasure does with it.
type Member struct {
	ID    string `dynamo:"id" gdpr:"none"`
	Name  string `dynamo:"name" gdpr:"erase,category=identity,purpose=membership"`
	Since int    `dynamo:"since" gdpr:"none"`
	Paid  string `dynamo:"paid" gdpr:"keep=Art. 17(3)(b): tax law,until=10y,category=invoice,purpose=accounting"`
	Who   string `dynamo:"person" gdpr:"keep=Art. 17(3)(b): tax law,until=10y"`
}

var Members = table.DefineNode("member", func(m *Member, d *table.Def[Member]) {
	d.ID(&m.ID)
	d.Subject(&m.Who)
})

func Example() {
	ctx := context.Background()
	client := embedded.New(nil) // or dynamodb.NewFromConfig(cfg)
	check(table.Create(ctx, client, "club", table.Schema(Members)))
	check(table.Create(ctx, client, "club-erasures", gdpr.Schema()))
	club, err := table.Open(client, "club", &table.Options{SubjectKey: []byte("32 secret bytes, or more of them")})
	check(err)
	erasures, err := table.Open(client, "club-erasures", nil)
	check(err)
	check(Members.Save(ctx, club, Member{ID: "42", Name: "Ann", Since: 2019, Paid: "12.00", Who: "ann"}))

	_, key, err := ed25519.GenerateKey(nil)
	check(err)
	controller, err := gdpr.New(erasures, []gdpr.Place{
		gdpr.Table("club", club, []gdpr.Model{Members}, nil),
	}, &gdpr.Options{Signer: key})
	check(err)
	plan, err := controller.Plan(ctx, "ann") // reads only
	check(err)
	for _, action := range plan.Actions {
		fmt.Println(action.Do, action.Kind, action.Fields[0].Field, action.Fields[1].Field)
	}
	receipt, err := controller.Erase(ctx, plan, "ticket 7")
	check(err)
	fmt.Println(receipt.Outcome, receipt.Kept[0].Field, receipt.Kept[0].Reason)
	member, err := Members.Get(ctx, club, "42")
	check(err)
	fmt.Printf("%q %d %s\n", member.Name, member.Since, member.Paid)
	// Output:
	// edit member Name Paid
	// erased-partly member.Paid Art. 17(3)(b): tax law
	// "" 2019 12.00
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
