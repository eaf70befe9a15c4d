package onnxhead

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"example.com/onnxhead/internal/label"
	ort "github.com/yalue/onnxruntime_go"
)

// A model is a session of onnxruntime with what head.json says of its classes.
type model struct {
	labels []Label
	link   string

	closing sync.RWMutex                // held for reading while the session runs
	session *ort.DynamicAdvancedSession // nil once it is closed
}

// openModel loads a model, from whose path onnxruntime finds the data file beside it, for calls that compute with so
// many threads, 0 for one per core. Its labels must be those of head.json.
func openModel(folder string, head *stated, inputs []string, threads int) (*model, error) {
	session, err := openSession(filepath.Join(folder, head.Model), inputs, head.Outputs, threads)
	if err != nil {
		return nil, fmt.Errorf("%w: the model must load in onnxruntime, %s refuses that of %s: take a newer onnxruntime, or "+
			"copy the bundle again, as a whole: %w", ErrBundle, ort.GetVersion(), folder, err)
	}
	m := &model{labels: head.Labels, link: head.Link, session: session}
	if err := m.verifyLabels(); err != nil {
		m.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrBundle, folder, err)
	}
	return m, nil
}

func openSession(path string, inputs, outputs []string, threads int) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := options.SetIntraOpNumThreads(threads); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSession(path, inputs, outputs, options)
}

// Close frees the model, after the calls that are under way. Later calls return [ErrClosed]; to close again does
// nothing.
func (m *model) Close() error {
	m.closing.Lock()
	defer m.closing.Unlock()
	if m.session == nil {
		return nil
	}
	err := m.session.Destroy()
	m.session = nil
	return err
}

// Labels returns the labels, one per class.
func (m *model) Labels() []Label { return slices.Clone(m.labels) }

// Link returns how logits become probabilities: softmax, sigmoid or ovr.
func (m *model) Link() string { return m.link }

// run lets onnxruntime make the outputs that are nil.
func (m *model) run(inputs, outputs []ort.Value) error {
	m.closing.RLock()
	defer m.closing.RUnlock()
	if m.session == nil {
		return ErrClosed
	}
	return m.session.Run(inputs, outputs)
}

// predictions returns one prediction per row of logits and probabilities.
func (m *model) predictions(logits, probabilities []float32) []Prediction {
	classes := len(m.labels)
	predictions := make([]Prediction, len(logits)/classes)
	for i := range predictions {
		start, end := i*classes, (i+1)*classes
		predictions[i] = Prediction{logits[start:end:end], probabilities[start:end:end], m.labels}
	}
	return predictions
}

func (m *model) verifyLabels() error {
	labels, err := m.statedLabels()
	if err != nil {
		return fmt.Errorf("the model's metadata must hold labels, they cannot be read: copy the bundle again, as a whole: %w", err)
	}
	if !slices.Equal(labels, m.labels) {
		return errors.New("the labels in head.json must be those in the model's metadata, they are others: " +
			"copy the bundle again, as a whole")
	}
	return nil
}

// statedLabels returns the labels in the model's metadata: 0, 1, 2 and so on where there are none.
func (m *model) statedLabels() (label.List, error) {
	metadata, err := m.session.GetModelMetadata()
	if err != nil {
		return nil, err
	}
	defer metadata.Destroy()
	text, found, err := metadata.LookupCustomMetadataMap("onnxhead.labels")
	if err != nil {
		return nil, err
	}
	if !found {
		return numbered(len(m.labels)), nil
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
