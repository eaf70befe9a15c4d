// Package onnxhead runs a model that onnxhead shipped, a network with its classification head: from the inputs of the
// network to logits, probabilities and labels.
//
//	classifier, err := onnxhead.Load("bundle")
//	...
//	defer classifier.Close()
//	pixels := onnxhead.NewTensor(numbers, 1, 3, 224, 224)
//	predictions, err := classifier.Classify(map[string]onnxhead.Tensor{"pixels": pixels})
//	...
//	fmt.Println(predictions[0].Label(), predictions[0].Probabilities)
//
// onnxruntime is loaded once, by the first call of Load: from the path in the environment variable ORT_DYLIB_PATH,
// else as libonnxruntime.so or libonnxruntime.so.1 by the system's search. A program that has initialized
// [github.com/yalue/onnxruntime_go] itself keeps its environment, which must outlive every Classifier.
package onnxhead

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// ErrInputs are inputs that are not those of the model, or that it does not run on.
var ErrInputs = errors.New("bad inputs")

// A Classifier is a model that is loaded. Several goroutines may call it at once.
type Classifier struct {
	*model
	inputs []Input
}

// Load loads a bundle: the folder that onnxhead shipped.
//
// The error is [ErrBundle] where it is no bundle or its files are not those that were shipped, and [ErrRuntime]
// where onnxruntime cannot be loaded.
func Load(folder string) (*Classifier, error) {
	var head description
	if err := readHead(folder, format, &head); err != nil {
		return nil, err
	}
	if err := initialize(); err != nil {
		return nil, err
	}
	inputs := head.inputs()
	names := make([]string, len(inputs))
	for i, one := range inputs {
		names[i] = one.Name
	}
	model, err := openModel(folder, &head.stated, names, 0)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(filepath.Join(folder, head.Model), inputs, &head.stated); err != nil {
		model.Close()
		return nil, fmt.Errorf("%w: %s: the model must have the inputs and outputs of head.json, it has others: copy the "+
			"bundle again, as a whole: %w", ErrBundle, folder, err)
	}
	return &Classifier{model, inputs}, nil
}

// Inputs returns what the model takes.
func (c *Classifier) Inputs() []Input {
	inputs := slices.Clone(c.inputs)
	for i := range inputs {
		inputs[i].Shape = slices.Clone(inputs[i].Shape)
	}
	return inputs
}

// Check returns the error, [ErrInputs], with which Classify refuses inputs, without running the model.
func (c *Classifier) Check(inputs map[string]Tensor) error {
	for _, wanted := range c.inputs {
		tensor, found := inputs[wanted.Name]
		if !found {
			return fmt.Errorf("%w: this model takes %v: pass a tensor for %s too", ErrInputs, c.inputs, wanted.Name)
		}
		if err := tensor.check(wanted); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if !slices.ContainsFunc(c.inputs, func(known Input) bool { return known.Name == name }) {
			return fmt.Errorf("%w: this model takes %v, and no %q: leave it out", ErrInputs, c.inputs, name)
		}
	}
	return nil
}

// Classify answers a batch, given as tensors by the names of the inputs, with one prediction per row. The error is
// [ErrInputs] where they are not those of the model, or it does not run on them.
func (c *Classifier) Classify(inputs map[string]Tensor) ([]Prediction, error) {
	if err := c.Check(inputs); err != nil {
		return nil, err
	}
	var pinner runtime.Pinner // the tensors keep pointers into Go's memory until they are destroyed
	defer pinner.Unpin()
	values := make([]ort.Value, len(c.inputs))
	for i, wanted := range c.inputs {
		value, err := inputs[wanted.Name].value(&pinner)
		if err != nil {
			return nil, err
		}
		defer value.Destroy()
		values[i] = value
	}
	outputs := make([]ort.Value, 2)
	if err := c.run(values, outputs); errors.Is(err, ErrClosed) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: the model must run on %s, onnxruntime fails: pass other shapes or values: %w", ErrInputs,
			shown(inputs), err)
	}
	for _, output := range outputs {
		defer output.Destroy()
	}
	logits, probabilities, err := numbers(outputs, len(c.labels))
	if err != nil {
		return nil, fmt.Errorf("%w: %w to %s: pass other shapes", ErrInputs, err, shown(inputs))
	}
	return c.predictions(logits, probabilities), nil
}

// numbers returns the two outputs, which onnxruntime_go has copied into Go's memory.
func numbers(outputs []ort.Value, classes int) (logits, probabilities []float32, err error) {
	first, isFirst := outputs[0].(*ort.Tensor[float32])
	second, isSecond := outputs[1].(*ort.Tensor[float32])
	if !isFirst || !isSecond {
		return nil, nil, errors.New("logits and probabilities must be float32, the model answers others")
	}
	shape := first.GetShape()
	if len(shape) != 2 || shape[1] != int64(classes) || !shape.Equals(second.GetShape()) {
		return nil, nil, fmt.Errorf("logits and probabilities must be [rows, %d], the model answers %v and %v", classes, shape,
			second.GetShape())
	}
	return first.GetData(), second.GetData(), nil
}

// checkSignature loads the model once more: onnxruntime_go tells inputs and outputs in no other way.
func checkSignature(path string, wanted []Input, head *stated) error {
	inputs, outputs, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return err
	}
	got, want := make([]string, 0, len(inputs)+2), make([]string, 0, len(wanted)+2)
	for _, one := range inputs {
		got = append(got, describe(one.Name, one.DataType, one.Dimensions))
	}
	for _, one := range outputs {
		got = append(got, describe(one.Name, one.DataType, one.Dimensions[max(0, len(one.Dimensions)-1):]))
	}
	for _, one := range wanted {
		want = append(want, describe(one.Name, dataTypes[one.DType], one.Shape))
	}
	for _, name := range head.Outputs {
		want = append(want, describe(name, ort.TensorElementDataTypeFloat, []int64{int64(head.Classes)}))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("it has %s, expected %s", strings.Join(got, "; "), strings.Join(want, "; "))
	}
	return nil
}

func describe(name string, dataType ort.TensorElementDataType, shape []int64) string {
	return fmt.Sprintf("%s %v %v", name, dataType, shape)
}

func shown(inputs map[string]Tensor) string {
	texts := make([]string, 0, len(inputs))
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		texts = append(texts, fmt.Sprintf("%s %v", name, inputs[name]))
	}
	return strings.Join(texts, "; ")
}
