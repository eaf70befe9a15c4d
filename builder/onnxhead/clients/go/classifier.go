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
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// A Classifier is a head that is loaded. Several goroutines may call it at once.
type Classifier struct {
	features int
	labels   []Label
	link     string

	closing sync.RWMutex                // held for reading while the session runs
	session *ort.DynamicAdvancedSession // nil once it is closed
}

// Load loads a bundle: the folder that onnxhead shipped.
//
// The error is [ErrBundle] where it is no bundle or its files are not those that were shipped, and [ErrRuntime]
// where onnxruntime cannot be loaded.
func Load(folder string) (*Classifier, error) {
	description, err := readBundle(folder)
	if err != nil {
		return nil, err
	}
	if err := initialize(); err != nil {
		return nil, err
	}
	session, err := openSession(filepath.Join(folder, description.Model), description)
	if err != nil {
		return nil, fmt.Errorf("%w: the model must load in onnxruntime, %s refuses that of %s: take a newer onnxruntime, or "+
			"copy the bundle again, as a whole: %w", ErrBundle, ort.GetVersion(), folder, err)
	}
	classifier := &Classifier{
		features: description.Features,
		labels:   description.Labels,
		link:     description.Link,
		session:  session,
	}
	if err := classifier.verify(); err != nil {
		classifier.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrBundle, folder, err)
	}
	return classifier, nil
}

// Close frees the head, after the calls that are under way. Later calls of Classify and ClassifyBatch return
// [ErrClosed]; to close again does nothing.
func (c *Classifier) Close() error {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.session == nil {
		return nil
	}
	err := c.session.Destroy()
	c.session = nil
	return err
}

// Features returns how many features a row has.
func (c *Classifier) Features() int { return c.features }

// Labels returns the labels, one per class.
func (c *Classifier) Labels() []Label { return slices.Clone(c.labels) }

// Link returns how logits become probabilities: softmax, sigmoid or ovr.
func (c *Classifier) Link() string { return c.link }

// Classify answers one row of features. The error is [ErrFeatures] where it has another width.
func (c *Classifier) Classify(row []float32) (Prediction, error) {
	if len(row) != c.features {
		return Prediction{}, fmt.Errorf("%w: a row must have %d features, got %d: pass those that the head was trained on, in "+
			"their order", ErrFeatures, c.features, len(row))
	}
	logits, probabilities, err := c.run(row, 1)
	if err != nil {
		return Prediction{}, err
	}
	return Prediction{logits, probabilities, c.labels}, nil
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
	logits, probabilities, err := c.run(slices.Concat(rows...), len(rows))
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(rows))
	for i := range predictions {
		start, end := i*len(c.labels), (i+1)*len(c.labels)
		predictions[i] = Prediction{logits[start:end:end], probabilities[start:end:end], c.labels}
	}
	return predictions, nil
}

// run lets onnxruntime read the features, and write the logits and probabilities, where they lie in Go's memory.
func (c *Classifier) run(features []float32, rows int) (logits, probabilities []float32, err error) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.session == nil {
		return nil, nil, ErrClosed
	}
	logits = make([]float32, rows*len(c.labels))
	probabilities = make([]float32, rows*len(c.labels))

	var pinner runtime.Pinner // the tensors keep pointers into Go's memory until they are destroyed
	defer pinner.Unpin()
	var tensors [3]ort.Value
	for i, data := range [][]float32{features, logits, probabilities} {
		pinner.Pin(&data[0])
		tensor, err := ort.NewTensor(ort.NewShape(int64(rows), int64(len(data)/rows)), data)
		if err != nil {
			return nil, nil, err
		}
		defer tensor.Destroy()
		tensors[i] = tensor
	}
	return logits, probabilities, c.session.Run(tensors[:1], tensors[1:])
}
