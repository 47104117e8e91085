// Package expr holds DynamoDB's expressions: conditions, filters, updates,
// projections and key conditions, and the older parameters that do the same.
//
// Start from [ParseCondition] and [ParseUpdate]; both take an [Env] with the
// request's names and values. A parsed expression never changes: it serves any
// number of items and goroutines. Errors of parsing are of type [*Error] and
// have DynamoDB's texts, in DynamoDB's order of checks; nothing that a caller
// sends can make this package panic or recurse deeper than the 4,096 bytes that
// an expression may have.
package expr

// Error is a refusal in DynamoDB's words: Message is the text of a
// ValidationException.
type Error struct {
	Message string
}

func (e *Error) Error() string { return e.Message }

// fault is what is wrong with an expression, without the name of the parameter;
// empty when nothing is.
type fault string

// The limits of an expression.
const (
	maxBytes     = 4096
	maxOperators = 300
	maxIn        = 100
	maxLevels    = 32
	maxKeyBytes  = 255 // of a placeholder, with its # or :
)

// The texts of faults that carry nothing else.
const (
	faultEmpty       fault = "The expression can not be empty;"
	faultParentheses fault = "The expression has redundant parentheses;"
)

// The errors that an update meets when it is applied to an item. DynamoDB gives
// them without the name of the parameter.
const (
	msgMissingOperand = "The provided expression refers to an attribute that does not exist in the item"
	msgOperandType    = "An operand in the update expression has an incorrect data type"
	msgPath           = "The document path provided in the update expression is invalid for update"
	msgDepth          = "Nesting Levels have exceeded supported limits"
)

// invalid names the parameter in which the fault is.
func invalid(parameter string, f fault) error {
	return &Error{"Invalid " + parameter + ": " + string(f)}
}
