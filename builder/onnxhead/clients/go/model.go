package onnxhead

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"example.com/onnxhead/internal/label"
	ort "github.com/yalue/onnxruntime_go"
)

// openSession loads the model by its path, from which onnxruntime finds the data file beside it.
func openSession(path string, description *description) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	// a head is small, and callers have goroutines of their own
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSession(path, description.Inputs, description.Outputs, options)
}

// verify holds the model to head.json: its labels, and its inputs and outputs, by a row that must run. To ask
// onnxruntime_go for the latter would load the model a second time.
func (c *Classifier) verify() error {
	labels, err := c.modelLabels()
	if err != nil {
		return fmt.Errorf("the model's metadata must hold labels, they cannot be read: copy the bundle again, as a whole: %w", err)
	}
	if !slices.Equal(labels, c.labels) {
		return errors.New("the labels in head.json must be those in the model's metadata, they are others: " +
			"copy the bundle again, as a whole")
	}
	if _, err := c.Classify(make([]float32, c.features)); err != nil {
		return fmt.Errorf("the model must have the inputs and outputs of head.json, it has others: copy the bundle again, as a "+
			"whole: %w", err)
	}
	return nil
}

// modelLabels returns the labels in the model's metadata: 0, 1, 2 and so on where there are none.
func (c *Classifier) modelLabels() (label.List, error) {
	metadata, err := c.session.GetModelMetadata()
	if err != nil {
		return nil, err
	}
	defer metadata.Destroy()
	text, found, err := metadata.LookupCustomMetadataMap("onnxhead.labels")
	if err != nil {
		return nil, err
	}
	if !found {
		return numbered(len(c.labels)), nil
	}
	var labels label.List
	err = json.Unmarshal([]byte(text), &labels)
	return labels, err
}

func numbered(classes int) label.List {
	labels := make(label.List, classes)
	for class := range labels {
		labels[class] = int64(class)
	}
	return labels
}
