package onnxhead

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// format is that of the bundles of whole models.
const format = "2"

// free is the length of an axis that is free, as onnxruntime_go has it.
const free = -1

// dataTypes are what the elements of an input may be, by the names of head.json.
var dataTypes = map[string]ort.TensorElementDataType{
	"float32": ort.TensorElementDataTypeFloat,
	"float64": ort.TensorElementDataTypeDouble,
	"bool":    ort.TensorElementDataTypeBool,
	"int8":    ort.TensorElementDataTypeInt8,
	"int16":   ort.TensorElementDataTypeInt16,
	"int32":   ort.TensorElementDataTypeInt32,
	"int64":   ort.TensorElementDataTypeInt64,
	"uint8":   ort.TensorElementDataTypeUint8,
	"uint16":  ort.TensorElementDataTypeUint16,
	"uint32":  ort.TensorElementDataTypeUint32,
	"uint64":  ort.TensorElementDataTypeUint64,
}

// An Input is what a model takes.
type Input struct {
	Name  string
	DType string  // the name of the elements' type in Go, such as float32
	Shape []int64 // the length of each axis; -1 where it is free
}

// String writes an input with ? for an axis that is free.
func (i Input) String() string {
	axes := make([]string, len(i.Shape))
	for place, axis := range i.Shape {
		axes[place] = "?"
		if axis != free {
			axes[place] = strconv.FormatInt(axis, 10)
		}
	}
	return fmt.Sprintf("%s %s [%s]", i.Name, i.DType, strings.Join(axes, ", "))
}

// description is what head.json says.
type description struct {
	stated
	Inputs []struct {
		Name  string   `json:"name"`
		DType string   `json:"dtype"`
		Shape []*int64 `json:"shape"`
	} `json:"inputs"`
}

func (d *description) common() *stated { return &d.stated }

func (d *description) problem() error {
	if len(d.Inputs) == 0 {
		return errors.New("a model has one input or more, it states none")
	}
	names := map[string]bool{}
	for _, one := range d.Inputs {
		_, known := dataTypes[one.DType]
		switch {
		case one.Name == "" || names[one.Name]:
			return fmt.Errorf("each input has a name of its own, it states %q", one.Name)
		case !known:
			return fmt.Errorf("an input is of floats, integers or booleans, %s is of %q", one.Name, one.DType)
		case len(one.Shape) == 0:
			return fmt.Errorf("onnxruntime_go has no tensors without axes, %s has none: ship the model to another language",
				one.Name)
		case slices.ContainsFunc(one.Shape, func(axis *int64) bool { return axis != nil && *axis < 1 }):
			return fmt.Errorf("an axis is free or has a length of 1 or more, %s has another", one.Name)
		}
		names[one.Name] = true
	}
	return nil
}

func (d *description) inputs() []Input {
	inputs := make([]Input, len(d.Inputs))
	for i, one := range d.Inputs {
		shape := make([]int64, len(one.Shape))
		for place, axis := range one.Shape {
			shape[place] = free
			if axis != nil {
				shape[place] = *axis
			}
		}
		inputs[i] = Input{one.Name, one.DType, shape}
	}
	return inputs
}
