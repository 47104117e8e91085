package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// ErrClosed is the cause of every error after Close.
var ErrClosed = errors.New("embedded: the database is closed")

func apiError(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// validation is DynamoDB's ValidationException; the SDK has no type for it.
func validation(format string, args ...any) error {
	return apiError("ValidationException", format, args...)
}

// invalidParameter prefixes a text as DynamoDB does for most semantic faults.
func invalidParameter(format string, args ...any) error {
	return validation("One or more parameter values were invalid: "+format, args...)
}

// invalid turns an error of the value and expression packages, whose texts are
// DynamoDB's, into a ValidationException.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[smithy.APIError](err); ok {
		return err
	}
	return validation("%s", err.Error())
}

// Unsupported answers an operation that the engine does not implement.
func Unsupported(operation string) error {
	return apiError("UnknownOperationException", "The embedded engine does not implement %s.", operation)
}

func notFound(format string, args ...any) error {
	return &types.ResourceNotFoundException{Message: new(fmt.Sprintf(format, args...))}
}

func tableNotFound() error {
	return notFound("Requested resource not found")
}

func namedTableNotFound(name string) error {
	return notFound("Requested resource not found: Table: %s not found", name)
}

func inUse(format string, args ...any) error {
	return &types.ResourceInUseException{Message: new(fmt.Sprintf(format, args...))}
}

// internal wraps a failure of the storage below.
func internal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrClosed):
		return ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &types.InternalServerError{Message: new("embedded: storage failed: " + err.Error())}
}
