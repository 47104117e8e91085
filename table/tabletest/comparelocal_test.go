package tabletest_test

import (
	"regexp"
)

// localDifference is one in which DynamoDB Local 1.25.1 is wrong: by AWS's
// documentation, or by answers of the service that independent suites recorded.
// Either the two answers look as given, or they are the same but for what ignored matches.
type localDifference struct {
	why           string
	request       string
	engine, local string
	ignored       string
}

const (
	wrongPath   = `^error ValidationException.*The document path provided in the update expression is invalid for update`
	refused     = `^error ValidationException`
	cancelled   = `^error TransactionCanceledException`
	oneCapacity = ` capacity [\d.]+( table [\d.]+)?`
)

var localDifferences = []localDifference{
	{
		why:     "refuses to remove a path of an item that does not exist; the service ignores it",
		request: `(?i)update.*REMOVE`, engine: `^ok|^error ConditionalCheck|` + cancelled, local: wrongPath,
	},
	{
		why:     "evaluates a condition before it checks what the update does",
		request: `^Update.* if [^-]`, engine: refused, local: `^error ConditionalCheckFailedException`,
	},
	{
		why:     "stops at the first reason of a cancelled transaction",
		request: `^TransactWrite`, engine: cancelled + `.*(ConditionalCheckFailed|ValidationError).*(ConditionalCheckFailed|ValidationError)`, local: cancelled,
	},
	{
		why:     "refuses a transaction for what the service cancels it for, with a reason",
		request: `^TransactWrite`, engine: cancelled + `.*ValidationError`, local: refused,
	},
	{
		why:     "gives no reasons where a key of a transaction is wrong",
		request: `^Transact`, engine: cancelled + `.*ValidationError`, local: cancelled + ` ¦|` + refused + `.*Invalid attribute value type`,
	},
	{
		why:     "checks the keys of a transaction before its expressions",
		request: `^TransactGet`, engine: refused, local: cancelled + ` ¦`,
	},
	{
		why:     "counts no capacity for a page without items",
		request: `^Query`, ignored: `0 of 0 {}` + oneCapacity,
	},
	{
		why:     "ends a query at an item after which no other can come, where a limit that was reached gives a key to go on from",
		request: `^Query - `, engine: `; 0 of 0 {}[^;{]*$`, local: `[1-9] {}[^;{]*$`,
	},
	{
		why:     "counts no capacity for missing items of a batch",
		request: `^BatchGet`, ignored: oneCapacity,
	},
	{
		why:     "tells the capacity of a deletion unasked",
		request: `^Delete`, engine: `^ok {}$`, local: `^ok {} capacity 1 `,
	},
	{
		why:     "counts more than one unit for a deletion of nothing among several writes",
		request: `^BatchWrite.*delete`, ignored: oneCapacity,
	},
	{
		why:     "counts four units for a write of 1 KB in a transaction",
		request: `^TransactWrite`, ignored: ` capacity .*`,
	},
	{
		why:     "counts writes to an index that has the item neither before nor after",
		request: `^(Put|Update|BatchWrite)`, ignored: ` capacity .*`,
	},
	{
		why:     "evaluates the second operand of if_not_exists where the first exists",
		request: `(?i)update.*if_not_exists`, engine: `^ok|` + cancelled, local: refused + `.*refers to an attribute that does not exist`,
	},
	{
		why:     "accepts an index key of another type from an update",
		request: `(?i)update`, engine: refused + `.*Type mismatch for Index Key|` + cancelled + `.*ValidationError`, local: `^ok`,
	},
	{
		why:     "evaluates conditions before it refuses one item twice in a transaction",
		request: `^TransactWrite`, engine: refused + `.*multiple operations on one item`, local: cancelled,
	},
	{
		why:     "reads the rows for the filter of a scan of an index, where the service sees what the index has",
		request: `^Scan (local|global\d) filter [^-]`, engine: `^ok`, local: `^ok`,
	},
}

// knownOfDynamoDBLocal explains a difference, or returns "".
func knownOfDynamoDBLocal(request, engine, local string) string {
	is := func(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
	for _, d := range localDifferences {
		switch {
		case !is(d.request, request):
		case d.ignored != "":
			ignored := regexp.MustCompile(d.ignored)
			if ignored.ReplaceAllString(engine, "") == ignored.ReplaceAllString(local, "") {
				return "DynamoDB Local " + d.why
			}
		case is(d.engine, engine) && is(d.local, local):
			return "DynamoDB Local " + d.why
		}
	}
	return ""
}
