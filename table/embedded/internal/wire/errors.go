package wire

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

const (
	coralPrefix    = "com.amazon.coral.service#"
	validatePrefix = "com.amazon.coral.validate#"
	dynamoPrefix   = "com.amazonaws.dynamodb.v20120810#"

	serializationCode = "SerializationException"
	unknownOpCode     = "UnknownOperationException"
	validationCode    = "ValidationException"
	internalCode      = "InternalServerError"
)

// fault is an error as it goes over the wire.
type fault struct {
	status int
	code   string
	// message is left out where it is empty.
	message string
	// members, if set, writes the members of a modelled error; the message is
	// among them if it is empty here.
	members interface {
		SerializeMembers(smithy.ShapeSerializer)
	}
}

// prefix of the error's type: DynamoDB's own errors stand in another namespace than those
// of the layers in front of it.
func prefix(code string) string {
	switch code {
	case validationCode:
		return validatePrefix
	case serializationCode, unknownOpCode, "AccessDeniedException", "IncompleteSignatureException",
		"MissingAuthenticationTokenException", "UnrecognizedClientException", "InvalidSignatureException",
		"RequestEntityTooLargeException":
		return coralPrefix
	case "ThrottlingException":
		return "com.amazon.coral.availability#"
	default:
		return dynamoPrefix
	}
}

// messageName is the name of the message's member, which is not the same in
// each layer, and is another one beside the item of a failed condition.
func (f *fault) messageName() string {
	if f.code == serializationCode || f.code == "AccessDeniedException" || f.members != nil {
		return "Message"
	}
	return "message"
}

// encode writes the error's body.
func (f *fault) encode(e *encoder) {
	e.open('{', inStruct)
	e.name("__type")
	e.str(prefix(f.code) + f.code)
	if f.members != nil {
		f.members.SerializeMembers(e)
	}
	if f.message != "" {
		e.name(f.messageName())
		e.str(f.message)
	}
	e.shut('}')
}

// asFault translates an error of the decoder or the backend. known is false for one that
// the protocol has no place for: it is answered as an internal error, and its text is not sent.
func asFault(err error) (f *fault, known bool) {
	if typed, ok := errors.AsType[*typeError](err); ok {
		return &fault{status: http.StatusBadRequest, code: serializationCode, message: typed.message}, true
	}
	if _, ok := errors.AsType[*syntaxError](err); ok {
		return &fault{status: http.StatusBadRequest, code: serializationCode}, true
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return internalFault(err)
	}
	f = &fault{status: http.StatusBadRequest, code: api.ErrorCode(), message: api.ErrorMessage()}
	if api.ErrorFault() == smithy.FaultServer {
		f.status = http.StatusInternalServerError
	}
	if failed, ok := api.(*types.ConditionalCheckFailedException); ok && failed.Item != nil {
		f.members = &types.ConditionalCheckFailedException{Item: failed.Item}
		return f, true
	}
	f.members, _ = api.(interface {
		SerializeMembers(smithy.ShapeSerializer)
	})
	if f.members != nil {
		f.message = ""
	}
	return f, true
}

func internalFault(err error) (f *fault, known bool) {
	known = errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return &fault{status: http.StatusInternalServerError, code: internalCode, message: "Internal server error"}, known
}
