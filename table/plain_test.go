package table_test

import (
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// plain turns a request into maps, so that attribute values keep their types in JSON.
func plain(v any) any { return plainValue(reflect.ValueOf(v)) }

func plainValue(rv reflect.Value) any {
	if !rv.IsValid() {
		return nil
	}
	if rv.CanInterface() {
		if av, ok := rv.Interface().(types.AttributeValue); ok && av != nil {
			return dynamoJSON(av)
		}
	}
	switch rv.Kind() {
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return nil
		}
		return plainValue(rv.Elem())
	case reflect.Struct:
		m := map[string]any{}
		for i := range rv.NumField() {
			if f := rv.Type().Field(i); f.IsExported() {
				m[f.Name] = plainValue(rv.Field(i))
			}
		}
		return m
	case reflect.Map:
		if rv.IsNil() {
			return nil
		}
		m := map[string]any{}
		for iter := rv.MapRange(); iter.Next(); {
			m[iter.Key().String()] = plainValue(iter.Value())
		}
		return m
	case reflect.Slice:
		if rv.IsNil() {
			return nil
		}
		list := make([]any, rv.Len())
		for i := range list {
			list[i] = plainValue(rv.Index(i))
		}
		return list
	}
	return rv.Interface()
}

// onlyPut is the item of a recorded batch of one.
func onlyPut(requests []any) map[string]types.AttributeValue {
	for _, writes := range requests[0].(*dynamodb.BatchWriteItemInput).RequestItems {
		return writes[0].PutRequest.Item
	}
	return nil
}
