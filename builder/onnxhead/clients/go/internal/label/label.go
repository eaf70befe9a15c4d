// Package label reads labels from JSON with their kinds kept apart: 1, 1.0 and true are three labels.
package label

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// List is an array of labels, each a string, int64, float64 or bool.
type List []any

// UnmarshalJSON reads an array of strings, numbers and booleans.
func (l *List) UnmarshalJSON(data []byte) error {
	var values []json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	labels := make(List, len(values))
	for i, value := range values {
		var err error
		if labels[i], err = parse(value); err != nil {
			return err
		}
	}
	*l = labels
	return nil
}

func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	switch value := value.(type) {
	case string, bool:
		return value, nil
	case json.Number:
		return number(value)
	}
	return nil, fmt.Errorf("a label must be a string, a number or a boolean, got %s", data)
}

func number(value json.Number) (any, error) {
	if integer, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
		return integer, nil
	}
	return value.Float64()
}
