package onnxhead_test

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/onnxhead"
)

// sample returns inputs of zeros, false and the like, in the shapes of the first case.
func sample(t testing.TB) map[string]onnxhead.Tensor {
	t.Helper()
	var vectors struct {
		Cases []struct {
			Inputs []struct {
				Name  string  `json:"name"`
				DType string  `json:"dtype"`
				Shape []int64 `json:"shape"`
			} `json:"inputs"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(bundle, "vectors.json")), &vectors); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]onnxhead.Tensor{}
	for _, one := range vectors.Cases[0].Inputs {
		inputs[one.Name] = zeros[one.DType](one.Shape)
	}
	return inputs
}

var zeros = map[string]func(shape []int64) onnxhead.Tensor{
	"float32": zerosOf[float32],
	"float64": zerosOf[float64],
	"bool":    zerosOf[bool],
	"int8":    zerosOf[int8],
	"int16":   zerosOf[int16],
	"int32":   zerosOf[int32],
	"int64":   zerosOf[int64],
	"uint8":   zerosOf[uint8],
	"uint16":  zerosOf[uint16],
	"uint32":  zerosOf[uint32],
	"uint64":  zerosOf[uint64],
}

func zerosOf[T onnxhead.Element](shape []int64) onnxhead.Tensor {
	places := int64(1)
	for _, length := range shape {
		places *= length
	}
	return onnxhead.NewTensor(make([]T, places), shape...)
}

func TestAnAnswerHasANumberPerClass(t *testing.T) {
	classifier := load(t)
	classes := len(classifier.Labels())
	predictions, err := classifier.Classify(sample(t))
	if err != nil || len(predictions) == 0 {
		t.Fatalf("%d answers, %v", len(predictions), err)
	}
	for _, answer := range predictions {
		if len(answer.Logits) != classes || len(answer.Probabilities) != classes {
			t.Errorf("%d logits and %d probabilities for %d classes", len(answer.Logits), len(answer.Probabilities), classes)
		}
		if label := answer.Label(); label != nil && !slices.Contains(classifier.Labels(), label) {
			t.Errorf("%v is no label", label)
		}
	}
}

func TestOtherInputsAreRefused(t *testing.T) {
	classifier := load(t)
	first := classifier.Inputs()[0]
	for because, spoil := range map[string]func(inputs map[string]onnxhead.Tensor){
		"pass a tensor for " + first.Name + " too": func(inputs map[string]onnxhead.Tensor) { delete(inputs, first.Name) },
		`and no "another": leave it out`: func(inputs map[string]onnxhead.Tensor) {
			inputs["another"] = onnxhead.NewTensor([]float32{1}, 1)
		},
		"make the tensor of a []" + first.DType: func(inputs map[string]onnxhead.Tensor) { inputs[first.Name] = onnxhead.Tensor{} },
		"pass a tensor with as many axes":       func(inputs map[string]onnxhead.Tensor) { inputs[first.Name] = zeros[first.DType](nil) },
	} {
		inputs := sample(t)
		spoil(inputs)
		predictions, err := classifier.Classify(inputs)
		if predictions != nil || !errors.Is(err, onnxhead.ErrInputs) || !strings.Contains(err.Error(), because) {
			t.Errorf("got %v, expected ErrInputs: %s", err, because)
		}
	}
}

func TestSeveralGoroutinesGetTheSameAnswers(t *testing.T) {
	classifier, inputs := load(t), sample(t)
	alone, err := classifier.Classify(inputs)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 5 {
				answers, err := classifier.Classify(inputs)
				if err != nil || !near(answers[0].Probabilities, alone[0].Probabilities) {
					t.Errorf("got %v, %v, expected %v", answers, err, alone)
				}
			}
		}()
	}
	group.Wait()
}

// near allows for threads that add in another order; NaN is near NaN.
func near(got, want []float32) bool {
	return slices.EqualFunc(got, want, func(a, b float32) bool {
		return math.Abs(float64(a-b)) <= 1e-5 || a != a && b != b
	})
}

func TestAClosedClassifierIsAnError(t *testing.T) {
	classifier, err := onnxhead.Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := classifier.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := classifier.Classify(sample(t)); !errors.Is(err, onnxhead.ErrClosed) {
		t.Errorf("got %v, expected ErrClosed", err)
	}
}

func TestInputsShareNoMemoryWithTheClassifier(t *testing.T) {
	classifier := load(t)
	inputs := classifier.Inputs()
	want := inputs[0].String()
	inputs[0].Shape[0] = 12345
	if got := classifier.Inputs()[0].String(); got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
}

func BenchmarkClassify(b *testing.B) {
	classifier, inputs := load(b), sample(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := classifier.Classify(inputs); err != nil {
			b.Fatal(err)
		}
	}
}
