// Package gdpr erases a person's data from tables, sealed events and keys, proves it, and keeps it from coming back.
//
// Start from [New], which takes the places that hold personal data, and [Controller.Plan], which says what an erasure would do:
//
//	controller, err := gdpr.New(jobs, []gdpr.Place{
//		gdpr.Table("orders", entities, []gdpr.Model{Orders, Customers}, nil),
//		gdpr.Table("customers", views, []gdpr.Model{Summaries, Purchases}, nil),
//	}, &gdpr.Options{Signer: key})
//	plan, err := controller.Plan(ctx, "17850")           // reads only
//	receipt, err := controller.Erase(ctx, plan, "DPO-7") // approves the plan's hash, and does what it says
//
// What an erasure does with a field is declared at the field, with a `gdpr` tag: see [Do].
//
// A job goes through suppress, shred, erase, propagate, verify and certify. It guarantees that
//
//   - a plan changes nothing, and only what an approved plan names is touched; what the verification finds beyond it is another round of the same job;
//   - a job that was stopped anywhere goes on where it was, and ends with one receipt;
//   - rows are changed by conditional partial updates, which hold only while the row is as it was read and still the subject's;
//   - the verification looks in another way than the plan did: it reads whole tables, consistently;
//   - nothing found, something kept and something held are outcomes that the receipt names, with their reasons;
//   - receipts hold no personal data, and a change of one byte shows.
//
// It is a tool for those who carry out an erasure, not legal advice: what must be erased, and what must be kept, is theirs to decide.
package gdpr
