package onnxhead

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// An Element is what a tensor holds.
type Element interface {
	float32 | float64 | bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// A Tensor is an array with axes, made by [NewTensor].
type Tensor struct {
	shape    []int64
	dtype    string
	elements int
	content  []byte
}

// NewTensor returns a tensor of the elements in row-major order, with the length of each axis. The elements are not
// copied: do not change them while the tensor is in use.
func NewTensor[T Element](elements []T, shape ...int64) Tensor {
	var zero T
	tensor := Tensor{slices.Clone(shape), fmt.Sprintf("%T", zero), len(elements), nil}
	if len(elements) > 0 {
		size := len(elements) * int(unsafe.Sizeof(zero))
		tensor.content = unsafe.Slice((*byte)(unsafe.Pointer(&elements[0])), size) // as they lie in memory
	}
	return tensor
}

// String writes the type of the elements and the shape.
func (t Tensor) String() string {
	return fmt.Sprintf("%s %v of %d elements", t.dtype, t.shape, t.elements)
}

// check holds a tensor to an input.
func (t Tensor) check(wanted Input) error {
	fits := len(t.shape) == len(wanted.Shape)
	elements := 1
	for place, length := range t.shape {
		fits = fits && length > 0 && (wanted.Shape[place] == free || wanted.Shape[place] == length)
		elements *= int(length)
	}
	switch {
	case t.dtype != wanted.DType:
		return fmt.Errorf("%w: this model takes %v, got %v: make the tensor of a []%s", ErrInputs, wanted, t, wanted.DType)
	case !fits:
		return fmt.Errorf("%w: this model takes %v, got %v: pass a tensor with as many axes, of the lengths that are fixed, "+
			"and none of length 0", ErrInputs, wanted, t)
	case elements != t.elements:
		return fmt.Errorf("%w: this model takes %v, got %v: pass one element per place, the last axis first to change", ErrInputs,
			wanted, t)
	}
	return nil
}

// value returns the tensor for onnxruntime, which reads it where it lies in Go's memory until it is destroyed.
func (t Tensor) value(pinner *runtime.Pinner) (ort.Value, error) {
	pinner.Pin(&t.content[0])
	return ort.NewCustomDataTensor(ort.NewShape(t.shape...), t.content, dataTypes[t.dtype])
}
