package conformance

import (
	"slices"
	"time"

	"example.com/onnxhead"
)

// MedianTime returns the median time that one row takes.
func MedianTime(classifier *onnxhead.Classifier, cases []Case) (time.Duration, error) {
	call, rows, err := timed(classifier, cases)
	if err != nil {
		return 0, err
	}
	durations := make([]time.Duration, warmup+calls)
	for i := range durations {
		start := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		durations[i] = time.Since(start)
	}
	timed := durations[warmup:]
	slices.Sort(timed)
	return (timed[calls/2-1] + timed[calls/2]) / time.Duration(2*rows), nil
}
