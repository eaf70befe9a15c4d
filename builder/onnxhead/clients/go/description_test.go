package onnxhead_test

import "testing"

func TestWhatIsNoHeadIsRefused(t *testing.T) {
	folder := copyBundle(t)
	for _, test := range []struct{ key, value, because string }{
		{"format", `"2"`, "this client reads bundles of format 1, " + folder + " states 2: ship it again"},
		{"inputs", `[]`, "a head has one input"},
		{"inputs", `["pixels"]`, "the model must have the inputs and outputs"},
		{"features", `0`, "a head has one feature or more"},
		{"features", `1000003`, "the model must have the inputs and outputs"},
	} {
		writeHead(t, folder, test.key, test.value)
		expectRefused(t, folder, test.because)
	}
}
