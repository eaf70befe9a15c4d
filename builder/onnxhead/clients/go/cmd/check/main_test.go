package main

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"example.com/onnxhead"
)

const bundle = "../../bundle"

func TestArgumentsAreABundleAndTime(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		bundle    string
		timed     bool
		err       error
	}{
		{nil, "bundle", false, nil},
		{[]string{"other"}, "other", false, nil},
		{[]string{"--time", "other"}, "other", true, nil},
		{[]string{"-time"}, "bundle", true, nil},
		{[]string{"--tim", "other"}, "", false, errUsage},
		{[]string{"--help"}, "", false, errUsage},
		{[]string{"one", "two"}, "", false, errUsage},
	} {
		bundle, timed, err := parse(test.arguments)
		if bundle != test.bundle || timed != test.timed || err != test.err {
			t.Errorf("%q are %q, %v, %v", test.arguments, bundle, timed, err)
		}
	}
}

func TestABundlePasses(t *testing.T) {
	var output strings.Builder
	passed, err := run(&output, bundle, false)
	if !passed || err != nil {
		t.Errorf("got %v, %v", passed, err)
	}
	want := regexp.MustCompile(`^largest error: \S+ of its tolerance\n\d+ passed, 0 failed\n$`)
	if !want.MatchString(output.String()) {
		t.Errorf("got\n%s", output.String())
	}
}

func TestABundleIsTimed(t *testing.T) {
	var output strings.Builder
	if _, err := run(&output, bundle, true); err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`^one row: \d+\.\d\d us\n$`).MatchString(output.String()) {
		t.Errorf("got\n%s", output.String())
	}
}

func TestWhatIsNoBundleIsAnError(t *testing.T) {
	if _, err := run(io.Discard, t.TempDir(), false); !errors.Is(err, onnxhead.ErrBundle) {
		t.Errorf("got %v, expected ErrBundle", err)
	}
}
