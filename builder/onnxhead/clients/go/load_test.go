package onnxhead_test

import (
	"testing"

	"example.com/onnxhead"
)

const bundle = "bundle"

func load(t testing.TB) *onnxhead.Classifier {
	t.Helper()
	classifier, err := onnxhead.Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := classifier.Close(); err != nil {
			t.Error(err)
		}
	})
	return classifier
}
