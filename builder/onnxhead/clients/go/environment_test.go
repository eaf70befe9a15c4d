package onnxhead

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A process loads onnxruntime once, so each library is tried in a process of its own.
func TestALibraryThatIsMissingOrTooOldIsAnError(t *testing.T) {
	if path := os.Getenv("ONNXHEAD_TEST_LIBRARY"); path != "" {
		os.Setenv("ORT_DYLIB_PATH", path)
		_, err := Load("bundle")
		if !errors.Is(err, ErrRuntime) || !strings.Contains(err.Error(), "loaded from a library, this failed: "+path+": ") {
			t.Errorf("got %v, expected ErrRuntime", err)
		}
		return
	}
	for _, library := range []string{"/missing/libonnxruntime.so", buildOldLibrary(t)} {
		child := exec.Command(os.Args[0], "-test.run=^TestALibraryThatIsMissingOrTooOldIsAnError$")
		child.Env = append(os.Environ(), "ONNXHEAD_TEST_LIBRARY="+library)
		if output, err := child.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", library, err, output)
		}
	}
}

func buildOldLibrary(t *testing.T) string {
	t.Helper()
	library := filepath.Join(t.TempDir(), "libonnxruntime.so")
	compiler := cmp.Or(os.Getenv("CC"), "cc")
	output, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, "testdata/old_onnxruntime.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return library
}

func TestTheLibraryIsLoadedOnceAndWithoutTelemetry(t *testing.T) {
	for range 2 {
		classifier, err := Load("bundle")
		if err != nil {
			t.Fatal(err)
		}
		classifier.Close()
		if os.Getenv("ORT_DISABLE_TELEMETRY") == "" {
			t.Error("telemetry is not switched off")
		}
		t.Setenv("ORT_DYLIB_PATH", "/missing/libonnxruntime.so")
	}
}
