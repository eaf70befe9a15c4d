package onnxhead

import (
	"strings"
	"testing"

	ort "github.com/yalue/onnxruntime_go"
)

func TestAnswersOfAnotherShapeAreAnError(t *testing.T) {
	if err := initialize(); err != nil {
		t.Fatal(err)
	}
	make32 := func(shape ...int64) ort.Value {
		tensor, err := ort.NewEmptyTensor[float32](ort.NewShape(shape...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tensor.Destroy() })
		return tensor
	}
	integers, err := ort.NewEmptyTensor[int64](ort.NewShape(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	defer integers.Destroy()
	if logits, probabilities, err := numbers([]ort.Value{make32(2, 3), make32(2, 3)}, 3); len(logits) != 6 || len(probabilities) != 6 || err != nil {
		t.Errorf("got %v, %v, %v", logits, probabilities, err)
	}
	for _, wrong := range [][]ort.Value{
		{make32(2, 3), make32(3, 3)},
		{make32(2, 4), make32(2, 4)},
		{make32(3), make32(3)},
		{integers, make32(2, 3)},
	} {
		if _, _, err := numbers(wrong, 3); err == nil || !strings.HasPrefix(err.Error(), "logits and probabilities must be ") {
			t.Errorf("got %v", err)
		}
	}
}
