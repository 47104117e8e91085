package engine

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// newEnv prepares the placeholders of a request. nulls is the part of the
// answer that names the absent expressions; it is empty if there are any.
func (e *Engine) newEnv(names map[string]string, values map[string]types.AttributeValue, nulls string) (*expr.Env, error) {
	if nulls != "" {
		if names != nil {
			return nil, validation("ExpressionAttributeNames can only be specified when using expressions")
		}
		if values != nil {
			return nil, validation("ExpressionAttributeValues can only be specified when using expressions: %s", nulls)
		}
		return nil, nil
	}
	env, err := expr.NewEnvSDK(names, values)
	if err != nil {
		return nil, invalid(err)
	}
	env.Cache = &e.cache
	return env, nil
}

// condition parses the only expression of a request; nil if there is none.
func (e *Engine) condition(text *string, names map[string]string, values map[string]types.AttributeValue) (*expr.Condition, error) {
	if text == nil {
		_, err := e.newEnv(names, values, "ConditionExpression is null")
		return nil, err
	}
	env, err := e.newEnv(names, values, "")
	if err != nil {
		return nil, err
	}
	c, err := expr.ParseCondition(*text, env)
	if err != nil {
		return nil, invalid(err)
	}
	return c, invalid(env.CheckUnused())
}

// updates parses the expressions of an update; each is nil if absent.
func (e *Engine) updates(update, cond *string, names map[string]string, values map[string]types.AttributeValue) (*expr.Update, *expr.Condition, error) {
	if update == nil && cond == nil {
		_, err := e.newEnv(names, values, "UpdateExpression and ConditionExpression are null")
		return nil, nil, err
	}
	env, err := e.newEnv(names, values, "")
	if err != nil {
		return nil, nil, err
	}
	var u *expr.Update
	var c *expr.Condition
	if update != nil {
		if u, err = expr.ParseUpdate(*update, env); err != nil {
			return nil, nil, invalid(err)
		}
	}
	if cond != nil {
		if c, err = expr.ParseCondition(*cond, env); err != nil {
			return nil, nil, invalid(err)
		}
	}
	return u, c, invalid(env.CheckUnused())
}

// projection parses the projection of a read; nil if there is none.
func (e *Engine) projection(text *string, names map[string]string) (*expr.Projection, error) {
	if text == nil {
		_, err := e.newEnv(names, nil, "ProjectionExpression is null")
		return nil, err
	}
	env, err := e.newEnv(names, nil, "")
	if err != nil {
		return nil, err
	}
	p, err := expr.ParseProjection(*text, env)
	if err != nil {
		return nil, invalid(err)
	}
	return p, invalid(env.CheckUnused())
}
