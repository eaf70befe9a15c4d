package onnxhead_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/onnxhead"
)

// row returns a row, always the same, with a value of its own for every feature.
func row(classifier *onnxhead.Classifier) []float32 {
	row := make([]float32, classifier.Features())
	for i := range row {
		row[i] = float32(math.Sin(float64(i + 1)))
	}
	return row
}

func TestAnAnswerHasANumberPerClass(t *testing.T) {
	classifier := load(t)
	row, classes := row(classifier), len(classifier.Labels())
	alone, err := classifier.Classify(row)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := classifier.ClassifyBatch([][]float32{row, row})
	if err != nil || len(batch) != 2 {
		t.Fatalf("%d answers, %v", len(batch), err)
	}
	for _, answer := range append(batch, alone) {
		if len(answer.Logits) != classes || len(answer.Probabilities) != classes {
			t.Errorf("%d logits and %d probabilities for %d classes", len(answer.Logits), len(answer.Probabilities), classes)
		}
		if !slices.Contains(classifier.Labels(), answer.Label()) {
			t.Errorf("%v is no label", answer.Label())
		}
	}
}

func TestNoRowsHaveNoAnswers(t *testing.T) {
	if predictions, err := load(t).ClassifyBatch(nil); len(predictions) != 0 || err != nil {
		t.Errorf("got %v, %v", predictions, err)
	}
}

func TestARowWithNaNHasNoLabelAndOthersHave(t *testing.T) {
	classifier := load(t)
	undefined, defined := row(classifier), row(classifier)
	undefined[0] = float32(math.NaN())
	predictions, err := classifier.ClassifyBatch([][]float32{undefined, defined})
	if err != nil {
		t.Fatal(err)
	}
	if predictions[0].Label() != nil || !slices.Contains(classifier.Labels(), predictions[1].Label()) {
		t.Errorf("got the labels %v and %v", predictions[0].Label(), predictions[1].Label())
	}
}

func TestAnotherWidthIsRefused(t *testing.T) {
	classifier := load(t)
	right := row(classifier)
	wrong := append(right, 0)
	_, errRow := classifier.Classify(wrong)
	_, errBatch := classifier.ClassifyBatch([][]float32{right, wrong})
	_, errNone := classifier.Classify(nil)
	for _, err := range []error{errRow, errBatch, errNone} {
		remedy := "pass those that the head was trained on, in their order"
		if !errors.Is(err, onnxhead.ErrFeatures) || !strings.Contains(err.Error(), remedy) {
			t.Errorf("got %v, expected ErrFeatures: %s", err, remedy)
		}
	}
}

func TestSeveralGoroutinesGetTheSameAnswers(t *testing.T) {
	classifier := load(t)
	row := row(classifier)
	alone, err := classifier.Classify(row)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 50 {
				answer, err := classifier.Classify(row)
				if err != nil || !slices.Equal(answer.Logits, alone.Logits) {
					t.Errorf("got %v, %v, expected %v", answer.Logits, err, alone.Logits)
				}
			}
		}()
	}
	group.Wait()
}

func TestClosingWaitsForCallsAndEndsThem(t *testing.T) {
	classifier, another := load(t), load(t)
	row := row(classifier)
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if _, err := classifier.Classify(row); err != nil {
					if !errors.Is(err, onnxhead.ErrClosed) {
						t.Errorf("got %v, expected ErrClosed", err)
					}
					return
				}
			}
		}()
	}
	if err := classifier.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
	if _, err := another.Classify(row); err != nil {
		t.Errorf("another classifier: %v", err)
	}
}

func TestChangingAnAnswerChangesNoOther(t *testing.T) {
	classifier := load(t)
	rows := [][]float32{row(classifier), row(classifier)}
	predictions, err := classifier.ClassifyBatch(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(predictions[1].Logits)
	_ = append(predictions[0].Logits, float32(math.NaN()))
	classifier.Labels()[0] = "another"
	if !slices.Equal(predictions[1].Logits, want) || classifier.Labels()[0] == "another" {
		t.Error("an answer shares memory with another")
	}
}

func BenchmarkClassify(b *testing.B) {
	classifier := load(b)
	row := row(classifier)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := classifier.Classify(row); err != nil {
			b.Fatal(err)
		}
	}
}
