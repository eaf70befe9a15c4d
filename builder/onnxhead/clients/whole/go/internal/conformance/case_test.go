package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/onnxhead"
)

func TestElementsAreReadInLittleEndianOrder(t *testing.T) {
	for dtype, test := range map[string]struct {
		content string
		want    string
	}{
		"float32": {"\x00\x00\x80\x3f\x00\x00\x00\x40", "float32 [2] of 2 elements"},
		"uint16":  {"\x01\x00\x00\x01", "uint16 [2] of 2 elements"},
		"bool":    {"\x00\x01", "bool [2] of 2 elements"},
	} {
		got, err := decoders[dtype]([]byte(test.content), []int64{2})
		if err != nil || got.String() != test.want {
			t.Errorf("%q as %s is %v, %v", test.content, dtype, got, err)
		}
		for _, wrong := range []string{"", test.content + "\x00", test.content[1:]} {
			if _, err := decoders[dtype]([]byte(wrong), []int64{2}); err == nil {
				t.Errorf("%q was read as two of %s", wrong, dtype)
			}
		}
	}
}

func TestCasesThatAreNotAsShippedAreRefused(t *testing.T) {
	shipped, err := os.ReadFile(filepath.Join(bundle, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	const file = `"file": "test_data_set_0/input_0.bin"`
	for _, test := range []struct{ old, new, because string }{
		{file, `"file": "../secret.bin"`, "the file of an input is in a test_data_set"},
		{file, `"file": "test_data_set_0/../head.json"`, "the file of an input is in a test_data_set"},
		{file, `"file": "test_data_set_0/missing.bin"`, "missing.bin, it cannot be read"},
		{`"dtype": "`, `"dtype": "complex`, "an input is of floats, integers or booleans"},
		{`"shape": [`, `"shape": [2, `, "has not"},
		{`"labels": [`, `"labels": [], "others": [`, "a case has no rows"},
	} {
		folder := t.TempDir()
		if err := os.CopyFS(folder, os.DirFS(bundle)); err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(shipped), test.old, test.new, 1)
		if err := os.WriteFile(filepath.Join(folder, "vectors.json"), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder); !errors.Is(err, onnxhead.ErrBundle) || !strings.Contains(err.Error(), test.because) {
			t.Errorf("%s: got %v, expected ErrBundle: %s", test.new, err, test.because)
		}
	}
}

func TestInputsOfAnotherModelFail(t *testing.T) {
	classifier, cases := load(t)
	cases[0].tensors = map[string]onnxhead.Tensor{"another": {}}
	report := Check(classifier, cases)
	if len(report.Failures) != 1 || !strings.HasPrefix(report.Failures[0], cases[0].Name+": bad inputs") {
		t.Errorf("expected one failure:\n%v", report)
	}
}

func TestTheCaseWithTheFewestRowsIsTimed(t *testing.T) {
	classifier, cases := load(t)
	_, rows, err := timed(classifier, cases)
	for _, c := range cases {
		if rows > len(c.Labels) || err != nil {
			t.Errorf("%d rows are timed, there are %d too: %v", rows, len(c.Labels), err)
		}
	}
}
