package onnxhead_test

import "testing"

func TestWhatIsNoWholeModelIsRefused(t *testing.T) {
	folder := copyBundle(t)
	for _, test := range []struct{ key, value, because string }{
		{"format", `"1"`, "this client reads bundles of format 2, " + folder + " states 1: ship it again"},
		{"inputs", `[]`, "a model has one input or more"},
		{"inputs", `["pixels"]`, "head.json must be as onnxhead ships it"},
		{"inputs", `[{"dtype": "bool", "shape": [1]}]`, `each input has a name of its own, it states ""`},
		{"inputs", `[{"name": "x", "dtype": "float16", "shape": [1]}]`, `x is of "float16"`},
		{"inputs", `[{"name": "x", "dtype": "bool", "shape": []}]`, "ship the model to another language"},
		{"inputs", `[{"name": "x", "dtype": "bool", "shape": [0]}]`, "an axis is free or has a length of 1 or more"},
		{"inputs", `[{"name": "x", "dtype": "bool", "shape": [null]}, {"name": "x", "dtype": "bool", "shape": [1]}]`,
			`each input has a name of its own, it states "x"`},
		{"inputs", `[{"name": "x", "dtype": "bool", "shape": [null]}]`, "the model must have the inputs and outputs"},
	} {
		writeHead(t, folder, test.key, test.value)
		expectRefused(t, folder, test.because)
	}
}
