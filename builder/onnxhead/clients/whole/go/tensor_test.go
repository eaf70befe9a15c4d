package onnxhead

import (
	"errors"
	"strings"
	"testing"
)

func TestATensorIsHeldToItsInput(t *testing.T) {
	wanted := Input{"pixels", "float32", []int64{free, 3, 2}}
	if wanted.String() != "pixels float32 [?, 3, 2]" {
		t.Errorf("an input is written as %v", wanted)
	}
	for _, test := range []struct {
		tensor  Tensor
		because string
	}{
		{NewTensor(make([]float32, 6), 1, 3, 2), ""},
		{NewTensor(make([]float32, 12), 2, 3, 2), ""},
		{NewTensor(make([]float64, 6), 1, 3, 2), "got float64 [1 3 2] of 6 elements: make the tensor of a []float32"},
		{NewTensor(make([]bool, 6), 1, 3, 2), "got bool [1 3 2] of 6 elements"},
		{NewTensor(make([]float32, 6), 3, 2), "got float32 [3 2] of 6 elements: pass a tensor with as many axes"},
		{NewTensor(make([]float32, 6), 1, 2, 3), "of the lengths that are fixed"},
		{NewTensor([]float32{}, 0, 3, 2), "none of length 0"},
		{NewTensor(make([]float32, 6), -1, 3, 2), "none of length 0"},
		{NewTensor(make([]float32, 5), 1, 3, 2), "got float32 [1 3 2] of 5 elements: pass one element per place"},
		{Tensor{}, "make the tensor of a []float32"},
	} {
		err := test.tensor.check(wanted)
		if test.because == "" {
			if err != nil {
				t.Errorf("%v is refused: %v", test.tensor, err)
			}
		} else if !errors.Is(err, ErrInputs) || !strings.Contains(err.Error(), test.because) {
			t.Errorf("got %v, expected ErrInputs: %s", err, test.because)
		}
	}
}
