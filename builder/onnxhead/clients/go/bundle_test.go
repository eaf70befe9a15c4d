package onnxhead_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/onnxhead"
)

func copyBundle(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "bundle")
	if err := os.CopyFS(folder, os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	return folder
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeHead writes the bundle's head.json into a folder, with another value for a key.
func writeHead(t *testing.T, folder, key, value string) {
	t.Helper()
	document := map[string]json.RawMessage{}
	if err := json.Unmarshal(read(t, filepath.Join(bundle, "head.json")), &document); err != nil {
		t.Fatal(err)
	}
	document[key] = json.RawMessage(value)
	changed, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "head.json"), changed)
}

func expectRefused(t *testing.T, folder, because string) {
	t.Helper()
	_, err := onnxhead.Load(folder)
	if !errors.Is(err, onnxhead.ErrBundle) || !strings.Contains(err.Error(), because) {
		t.Errorf("Load returned %v, expected ErrBundle: %s", err, because)
	}
}

func TestAHeadJSONThatIsNotWellFormedIsRefused(t *testing.T) {
	folder := t.TempDir()
	expectRefused(t, folder, "a bundle must have a head.json, "+folder+" has none: name the bundle's folder")
	write(t, filepath.Join(folder, "head.json"), []byte("{"))
	expectRefused(t, folder, "head.json must be as onnxhead ships it, it is not: copy the bundle again")
	for _, test := range []struct{ key, value, because string }{
		{"format", `"9"`, ", " + folder + " states 9: ship it again"},
		{"format", `1`, ", " + folder + " states 1"},
		{"format", `null`, "it must state its format"},
		{"model", `3`, "head.json must be as onnxhead ships it"},
		{"model", `"another.onnx"`, `it must state the SHA-256 of the model "another.onnx"`},
		{"inputs", `3`, "head.json must be as onnxhead ships it"},
		{"outputs", `["logits"]`, "a model has two outputs"},
		{"classes", `0`, "a model has one label per class"},
		{"labels", `[]`, "a model has one label per class"},
		{"labels", `[null]`, "a label must be a string, a number or a boolean, got null"},
		{"link", `"identity"`, "the link must be softmax, sigmoid or ovr"},
	} {
		writeHead(t, folder, test.key, test.value)
		expectRefused(t, folder, test.because)
	}
}

func TestAChangedFileIsRefused(t *testing.T) {
	folder := copyBundle(t)
	data, err := filepath.Glob(filepath.Join(folder, "*.data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(data, filepath.Join(folder, "model.onnx")) {
		shipped := read(t, path)
		write(t, path, append(shipped, 0))
		expectRefused(t, folder, path+" must be the file that was shipped")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expectRefused(t, folder, "a bundle must hold "+path+", it cannot be read: copy the bundle again")
		write(t, path, shipped)
	}
	classifier, err := onnxhead.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	classifier.Close()
}

func TestAModelWithOtherOutputsIsRefused(t *testing.T) {
	folder := copyBundle(t)
	writeHead(t, folder, "outputs", `["logits", "scores"]`)
	expectRefused(t, folder, "the model must have the inputs and outputs")
}

func TestOtherLabelsAreRefused(t *testing.T) {
	classifier := load(t)
	labels := append(classifier.Labels()[1:], "another")
	text, err := json.Marshal(labels)
	if err != nil {
		t.Fatal(err)
	}
	folder := copyBundle(t)
	writeHead(t, folder, "labels", string(text))
	expectRefused(t, folder, "the labels in head.json must be those in the model's metadata")
}
