package conformance

import (
	"errors"
	"slices"
	"time"

	"example.com/onnxhead"
)

const warmup, calls = 200, 2000

// MedianTime returns the median time of a call that classifies one row.
func MedianTime(classifier *onnxhead.Classifier, cases []Case) (time.Duration, error) {
	filled := slices.IndexFunc(cases, func(c Case) bool { return len(c.Features) > 0 })
	if filled < 0 {
		return 0, errors.New("vectors.json must have a row to classify, it has none")
	}
	row := cases[filled].Features[0]
	durations := make([]time.Duration, warmup+calls)
	for i := range durations {
		start := time.Now()
		if _, err := classifier.Classify(row); err != nil {
			return 0, err
		}
		durations[i] = time.Since(start)
	}
	timed := durations[warmup:]
	slices.Sort(timed)
	return (timed[calls/2-1] + timed[calls/2]) / 2, nil
}
