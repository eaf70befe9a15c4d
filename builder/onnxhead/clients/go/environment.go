package onnxhead

import (
	"fmt"
	"os"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

var environment sync.Mutex

// initialize loads onnxruntime, once for the process. Where the program has done so itself, that one is used.
func initialize() error {
	environment.Lock()
	defer environment.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	disableTelemetry()
	var causes []string
	for _, library := range libraries() {
		ort.SetSharedLibraryPath(library)
		err := ort.InitializeEnvironment()
		if err == nil {
			return nil
		}
		causes = append(causes, library+": "+err.Error())
	}
	return fmt.Errorf("%w: onnxruntime must be loaded from a library, this failed: %s; README.md says how to get one "+
		"for ORT_DYLIB_PATH; one that is there is too old for onnxruntime_go (v1.12.1 needs 1.19) or no onnxruntime",
		ErrRuntime, strings.Join(causes, "; "))
}

// disableTelemetry has an effect only before the library is loaded: onnxruntime 1.29 and newer read it then.
func disableTelemetry() {
	const variable = "ORT_DISABLE_TELEMETRY"
	if _, decided := os.LookupEnv(variable); !decided {
		os.Setenv(variable, "1")
	}
}

// libraries are the paths, or names for the system's search, to try in turn.
func libraries() []string {
	if path := os.Getenv("ORT_DYLIB_PATH"); path != "" {
		return []string{path}
	}
	return []string{"libonnxruntime.so", "libonnxruntime.so.1"}
}
