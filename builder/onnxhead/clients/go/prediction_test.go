package onnxhead

import (
	"math"
	"slices"
	"testing"
)

var tied = Prediction{
	Logits:        []float32{-1, 2, 2, 0.5},
	Probabilities: []float32{0.1, 0.7, 0.7, 0.5},
	labels:        []Label{"a", int64(1), 1.0, true},
}

func TestTheFirstOfEqualLogitsIsTheLabel(t *testing.T) {
	if got := tied.Label(); got != int64(1) {
		t.Errorf("got %#v", got)
	}
}

func TestTopIsInTheOrderOfTheLogits(t *testing.T) {
	want := []Candidate{{int64(1), 0.7}, {1.0, 0.7}, {true, 0.5}, {"a", 0.1}}
	for _, k := range []int{1, 3, 4, 5} {
		got, err := tied.Top(k)
		if err != nil || !slices.Equal(got, want[:min(k, 4)]) {
			t.Errorf("the top %d are %v, %v", k, got, err)
		}
	}
	for _, k := range []int{0, -1} {
		if _, err := tied.Top(k); err == nil {
			t.Errorf("the top %d are no error", k)
		}
	}
}

func TestAboveIsInTheOrderOfTheClasses(t *testing.T) {
	for threshold, want := range map[float32][]Label{
		-1:  {"a", int64(1), 1.0, true},
		0.5: {int64(1), 1.0},
		1:   nil,
	} {
		if got := tied.Above(threshold); !slices.Equal(got, want) {
			t.Errorf("above %v are %v", threshold, got)
		}
	}
}

func TestNaNAndNoAnswerHaveNoLabel(t *testing.T) {
	undefined := tied
	undefined.Probabilities = []float32{0.1, 0.7, float32(math.NaN()), 0.5}
	for _, prediction := range []Prediction{undefined, {}} {
		top, err := prediction.Top(3)
		if prediction.Label() != nil || prediction.Above(-1) != nil || top != nil || err != nil {
			t.Errorf("got %v, %v, %v, %v", prediction.Label(), prediction.Above(-1), top, err)
		}
	}
}
