package onnxhead

import (
	"cmp"
	"fmt"
	"slices"
)

// A Label is what a class is called: a string, int64, float64 or bool, and nothing else. A label that is an
// integer is an int64 always, so compare it with int64(3), not with 3.
type Label = any

// A Prediction is the answer for one row. Probabilities are NaN, and the label is nil, where a feature is NaN or a
// logit overflows float32.
type Prediction struct {
	Logits        []float32 // one per class
	Probabilities []float32 // one per class

	labels []Label
}

// A Candidate is a label with its probability.
type Candidate struct {
	Label       Label   `json:"label"`
	Probability float32 `json:"probability"`
}

// Label returns the label with the largest logit, the first of equal ones. It is nil where a probability is NaN.
func (p Prediction) Label() Label {
	if p.undefined() {
		return nil
	}
	largest := 0
	for class, logit := range p.Logits {
		if logit > p.Logits[largest] {
			largest = class
		}
	}
	return p.labels[largest]
}

// Above returns the labels with a probability above the threshold, in the order of the classes. It is meant, with
// 0.5, for heads whose link is sigmoid: their labels are independent. There are none where a probability is NaN.
func (p Prediction) Above(threshold float32) []Label {
	if p.undefined() {
		return nil
	}
	var labels []Label
	for class, probability := range p.Probabilities {
		if probability > threshold {
			labels = append(labels, p.labels[class])
		}
	}
	return labels
}

// Top returns the k labels with the largest logits, largest first, the earlier class first where they are equal:
// all labels where there are fewer than k, none where a probability is NaN. A k below 1 is an error.
func (p Prediction) Top(k int) ([]Candidate, error) {
	if k < 1 {
		return nil, fmt.Errorf("k must be at least 1, got %d", k)
	}
	if p.undefined() {
		return nil, nil
	}
	classes := make([]int, len(p.Logits))
	for class := range classes {
		classes[class] = class
	}
	slices.SortStableFunc(classes, func(a, b int) int { return cmp.Compare(p.Logits[b], p.Logits[a]) })
	top := make([]Candidate, min(k, len(classes)))
	for i := range top {
		top[i] = Candidate{p.labels[classes[i]], p.Probabilities[classes[i]]}
	}
	return top, nil
}

func (p Prediction) undefined() bool {
	return len(p.Probabilities) == 0 || slices.ContainsFunc(p.Probabilities, func(probability float32) bool { return probability != probability })
}
