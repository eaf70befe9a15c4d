// Package onnxhead runs a classification head that onnxhead shipped: a linear layer over features, with its
// probabilities and labels.
//
//	classifier, err := onnxhead.Load("bundle")
//	...
//	defer classifier.Close()
//	prediction, err := classifier.Classify(row)
//	...
//	fmt.Println(prediction.Label(), prediction.Probabilities)
//
// onnxruntime is loaded once, by the first call of Load: from the path in the environment variable ORT_DYLIB_PATH,
// else as libonnxruntime.so or libonnxruntime.so.1 by the system's search. A program that has initialized
// [github.com/yalue/onnxruntime_go] itself keeps its environment, which must outlive every Classifier.
package onnxhead

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	ort "github.com/yalue/onnxruntime_go"
)

// ErrFeatures is a row of another width.
var ErrFeatures = errors.New("bad features")

// A Classifier is a head that is loaded. Several goroutines may call it at once.
type Classifier struct {
	*model
	features int
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
	// one thread: a head is small, and callers have goroutines of their own
	model, err := openModel(folder, &head.stated, head.Inputs, 1)
	if err != nil {
		return nil, err
	}
	classifier := &Classifier{model, head.Features}
	// a row must run: to ask onnxruntime_go for inputs and outputs would load the model a second time
	if _, err := classifier.Classify(make([]float32, head.Features)); err != nil {
		classifier.Close()
		return nil, fmt.Errorf("%w: %s: the model must have the inputs and outputs of head.json, it has others: copy the "+
			"bundle again, as a whole: %w", ErrBundle, folder, err)
	}
	return classifier, nil
}

// Features returns how many features a row has.
func (c *Classifier) Features() int { return c.features }

// Classify answers one row of features. The error is [ErrFeatures] where it has another width.
func (c *Classifier) Classify(row []float32) (Prediction, error) {
	if len(row) != c.features {
		return Prediction{}, fmt.Errorf("%w: a row must have %d features, got %d: pass those that the head was trained on, in "+
			"their order", ErrFeatures, c.features, len(row))
	}
	predictions, err := c.answer(row, 1)
	if err != nil {
		return Prediction{}, err
	}
	return predictions[0], nil
}

// ClassifyBatch answers rows of features, which may be none, with one prediction each. The error is [ErrFeatures]
// where a row has another width.
func (c *Classifier) ClassifyBatch(rows [][]float32) ([]Prediction, error) {
	for i, row := range rows {
		if len(row) != c.features {
			return nil, fmt.Errorf("%w: a row must have %d features, row %d has %d: pass those that the head was trained on, "+
				"in their order", ErrFeatures, c.features, i, len(row))
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return c.answer(slices.Concat(rows...), len(rows))
}

// answer lets onnxruntime read the features, and write the logits and probabilities, where they lie in Go's memory.
func (c *Classifier) answer(features []float32, rows int) ([]Prediction, error) {
	logits := make([]float32, rows*len(c.labels))
	probabilities := make([]float32, rows*len(c.labels))

	var pinner runtime.Pinner // the tensors keep pointers into Go's memory until they are destroyed
	defer pinner.Unpin()
	var tensors [3]ort.Value
	for i, data := range [][]float32{features, logits, probabilities} {
		pinner.Pin(&data[0])
		tensor, err := ort.NewTensor(ort.NewShape(int64(rows), int64(len(data)/rows)), data)
		if err != nil {
			return nil, err
		}
		defer tensor.Destroy()
		tensors[i] = tensor
	}
	if err := c.run(tensors[:1], tensors[1:]); err != nil {
		return nil, err
	}
	return c.predictions(logits, probabilities), nil
}
