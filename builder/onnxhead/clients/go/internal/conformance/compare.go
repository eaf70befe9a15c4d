package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/onnxhead"
	"example.com/onnxhead/internal/label"
)

// check returns the largest error, as a fraction of its tolerance, and the first thing that is wrong.
func (c Case) check(classifier *onnxhead.Classifier) (largest float64, problem error) {
	rows := len(c.Logits)
	predictions, err := c.run(classifier)
	if err != nil {
		return 0, err
	}
	if len(predictions) < rows || rows == 0 && len(predictions) > 0 {
		return 0, fmt.Errorf("%d answers for %d rows", len(predictions), rows)
	}
	for i, prediction := range predictions {
		row := i % rows // what comes after the last are answers to the first ones again
		ratio, wrong := c.compare(row, prediction, classifier.Link())
		largest = max(largest, ratio)
		problem = cmp.Or(problem, wrong)
	}
	return largest, problem
}

func (c Answers) compare(row int, got onnxhead.Prediction, link string) (largest float64, problem error) {
	tolerance := slices.Repeat(c.ProbabilitiesTolerance[row:row+1], len(c.Probabilities[row]))
	logit, wrongLogit := compareNumbers("logit", row, got.Logits, c.Logits[row], c.LogitsTolerance[row])
	probability, wrongProbability := compareNumbers("probability", row, got.Probabilities, c.Probabilities[row], tolerance)
	wrongLabel := compareLabel(row, got, c.Labels[row], link)
	return max(logit, probability), cmp.Or(wrongLogit, wrongProbability, wrongLabel)
}

func compareNumbers(what string, row int, got []float32, want, tolerance []float64) (largest float64, problem error) {
	if len(got) != len(want) {
		return 0, fmt.Errorf("row %d has %d answers, expected %d", row, len(got), len(want))
	}
	for class := range want {
		ratio := math.Abs(float64(got[class])-want[class]) / tolerance[class]
		largest = max(largest, ratio) // NaN is the largest of all
		if problem == nil && !(ratio <= 1) {
			problem = fmt.Errorf("%s of row %d, class %d is %s, expected %s within %s", what, row, class,
				number(float64(got[class]), 6), number(want[class], 6), number(tolerance[class], 2))
		}
	}
	return largest, problem
}

// compareLabel compares arrays: that of the one label, where the link is not sigmoid.
func compareLabel(row int, prediction onnxhead.Prediction, want json.RawMessage, link string) error {
	if bytes.Equal(want, []byte("null")) {
		return nil
	}
	got := prediction.Above(0.5)
	if link != "sigmoid" {
		got = []any{prediction.Label()}
		want = slices.Concat([]byte("["), want, []byte("]"))
	}
	var expected label.List
	if err := json.Unmarshal(want, &expected); err != nil {
		return fmt.Errorf("label of row %d in vectors.json is %s: %w", row, want, err)
	}
	if slices.Equal(got, expected) {
		return nil
	}
	text, err := json.Marshal(got)
	return cmp.Or(err, fmt.Errorf("label of row %d is %s, expected %s", row, text, want))
}

// number writes a number with so many significant digits; infinity and NaN are inf and nan.
func number(x float64, digits int) string {
	return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(x, 'g', digits, 64), "+"))
}
