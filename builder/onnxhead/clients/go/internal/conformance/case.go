package conformance

import (
	"errors"
	"fmt"
	"slices"

	"example.com/onnxhead"
)

const warmup, calls = 200, 2000

// A Case is a batch of rows with their exact answers.
type Case struct {
	Answers
	Features [][]float32 `json:"features"`
}

// complete has nothing to read: the rows are in vectors.json.
func (c *Case) complete(string) error { return nil }

// run classifies the rows as one batch, and the first one alone once more.
func (c Case) run(classifier *onnxhead.Classifier) ([]onnxhead.Prediction, error) {
	predictions, err := classifier.ClassifyBatch(c.Features)
	if err != nil || len(predictions) == 0 {
		return nil, err
	}
	if len(predictions) != len(c.Features) {
		return nil, fmt.Errorf("%d answers for %d rows", len(predictions), len(c.Features))
	}
	alone, err := classifier.Classify(c.Features[0])
	return append(predictions, alone), err
}

// timed returns a call that is worth timing, and how many rows it classifies.
func timed(classifier *onnxhead.Classifier, cases []Case) (call func() error, rows int, err error) {
	filled := slices.IndexFunc(cases, func(c Case) bool { return len(c.Features) > 0 })
	if filled < 0 {
		return nil, 0, errors.New("vectors.json must have a row to classify, it has none")
	}
	row := cases[filled].Features[0]
	return func() error {
		_, err := classifier.Classify(row)
		return err
	}, 1, nil
}
