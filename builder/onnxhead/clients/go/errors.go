package onnxhead

import "errors"

// What errors.Is finds in the errors of this package.
var (
	// ErrBundle is a folder that is no bundle, or whose files are not those that were shipped.
	ErrBundle = errors.New("bad bundle")

	// ErrRuntime is an onnxruntime that is not found, or is too old.
	ErrRuntime = errors.New("no usable onnxruntime")

	// ErrClosed is the use of a classifier after Close.
	ErrClosed = errors.New("classifier is closed")
)
