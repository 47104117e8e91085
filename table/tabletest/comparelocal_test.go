package tabletest_test

import (
	"regexp"
	"strings"
)

// localDifference is one in which DynamoDB Local 2.6.1 is wrong: by AWS's
// documentation, or by answers of the service that independent suites recorded.
// Either the two answers look as given, or they are the same but for what ignored matches, of which kept stays.
type localDifference struct {
	why           string
	request       string
	engine, local string
	ignored, kept string
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
		request: `^Update.* (if [^-]|expected \S)`, engine: refused, local: `^error ConditionalCheckFailedException`,
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
		why:     "keeps the zeros at the end of a sum, where the service trims them",
		request: `.`, ignored: `(\.\d*[1-9])0+\b|\.0+\b`, kept: "$1",
	},
	{
		why:     "answers an internal failure to a key condition of before expressions that no index can answer",
		request: `^Query legacy`, engine: refused, local: `^error InternalFailure`,
	},
	{
		why:     "answers the whole attribute, where the service answers the path that was updated",
		request: `\}: [A-Z][^{}]*[a-z0-9][.\[][^{}]* if .*return UPDATED_`, engine: `^ok`, local: `^ok`,
	},
	{
		why:     "reads the rows for the filter of a scan of an index, where the service sees what the index has",
		request: `^Scan (local|global\d) filter [^-]`, engine: `^ok`, local: `^ok`,
	},
}

// localText is a difference between the texts of two errors of one code.
type localText struct {
	why           string
	engine, local string
}

const (
	keyTexts = `(The number of conditions on the keys is invalid|Type mismatch for (key|Index Key)|One of the required keys was not given a value|` +
		`Invalid attribute value type|Only scalar types can be used as Range Key values|Condition parameter type does not match schema type|Provided list of item keys contains duplicates|The AttributeValue for a key attribute cannot contain an empty .*)$`
	updateTexts = `(The document path provided in the update expression is invalid for update|An operand in the update expression has an incorrect data type|` +
		`Number (overflow|underflow)\. .*|DynamoDB only supports precision up to 38 digits|` +
		`The provided expression refers to an attribute that does not exist in the item)$`
	olderTexts = `AttributeValues inside AttributeValueList|AttributeValue type$|for the \S+ ComparisonOperator$|BETWEEN condition was provided| for Attribute: |` +
		`(DELETE|ADD) action |Only DELETE action`
	readTexts = `does not project|must be scalars; list random access|can only contain non-primary key attributes|` +
		`Condition parameter type does not match schema type$`
)

// In the first of these the engine's texts are those of the service, by its documentation or its recorded answers. In the rest a
// request has several faults, and no documentation says which is named.
var localTexts = []localText{
	{
		why:    "has words of its own for faults in keys",
		engine: `(The provided key element does not match the schema|Attempted conditional constraint is not an indexable operation|Missing the key \S+ in the item|Type mismatch for (key|Index Key) \S+ .*)$`, local: keyTexts,
	},
	{
		why:    "tells of the digits of a sum that needs too many, where the service tells of an overflow",
		engine: `^Number overflow\. `, local: `^DynamoDB only supports precision up to 38 digits$`,
	},
	{
		why:    "looks at the keys before it reads the expressions",
		engine: `Invalid (Condition|Update|Projection|Filter|KeyCondition)Expression: |unused in expressions|must be scalars; list random access|` + olderTexts, local: keyTexts,
	},
	{
		why:    "names others of several paths that overlap or conflict",
		engine: `Two document paths (overlap|conflict)`, local: `Two document paths (overlap|conflict)`,
	},
	{
		why:    "prints Java's name of a buffer for a binary value",
		engine: `AttributeValue: {B:`, local: `java\.nio\.HeapByteBuffer`,
	},
	{
		why:    "names the types in another order",
		engine: `valid types: {[A-Z,]+}$`, local: `valid types: {[A-Z,]+}$`,
	},
	{
		why:    "names the placeholders in another order",
		engine: `unused in expressions: keys: {.*,`, local: `unused in expressions: keys: {.*,`,
	},
	{
		why:    "finds one item twice in a transaction before it reads the expressions",
		engine: `Invalid \S+Expression: |unused in expressions`, local: `cannot include multiple operations on one item`,
	},
	{
		why:    "names another of several indexes with a key that is empty",
		engine: `cannot contain an empty .* IndexName: `, local: `cannot contain an empty .* IndexName: `,
	},
	{
		why:    "finds other faults before one item twice in a transaction",
		engine: `cannot include multiple operations on one item`, local: updateTexts + "|" + keyTexts + "|" + readTexts,
	},
	{
		why:    "names another of two keys in an update",
		engine: `Cannot update attribute \S+\. This attribute is part of the key`, local: `Cannot update attribute \S+\. This attribute is part of the key`,
	},
	{
		why:    "finds an empty key of an index before one of another type",
		engine: `Type mismatch for Index Key`, local: `cannot contain an empty \S+ value\.$`,
	},
	{why: "names another of several faults of an update", engine: updateTexts + `|Type mismatch for Index Key`, local: updateTexts},
	{why: "names another of several faults of a condition of before expressions", engine: olderTexts, local: olderTexts},
	{why: "names another of several faults of a read", engine: readTexts + `|Invalid ProjectionExpression: `, local: readTexts},
}

// otherText explains a difference between two texts, or returns "".
func otherText(engine, local string) string {
	codeE, textE, _ := strings.Cut(engine, " ¦ ")
	codeL, textL, _ := strings.Cut(local, " ¦ ")
	if codeE != codeL {
		return ""
	}
	for _, d := range localTexts {
		if regexp.MustCompile(d.engine).MatchString(textE) && regexp.MustCompile(d.local).MatchString(textL) {
			return "DynamoDB Local " + d.why
		}
	}
	return ""
}

// knownOfDynamoDBLocal explains a difference, or returns "".
func knownOfDynamoDBLocal(request, engine, local string) string {
	is := func(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
	for _, d := range localDifferences {
		switch {
		case !is(d.request, request):
		case d.ignored != "":
			ignored := regexp.MustCompile(d.ignored)
			if ignored.ReplaceAllString(engine, d.kept) == ignored.ReplaceAllString(local, d.kept) {
				return "DynamoDB Local " + d.why
			}
		case is(d.engine, engine) && is(d.local, local):
			return "DynamoDB Local " + d.why
		}
	}
	return otherText(engine, local)
}
