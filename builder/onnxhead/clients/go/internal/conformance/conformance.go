// Package conformance holds a classifier to the exact answers in its bundle's vectors.json.
package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/onnxhead"
)

// Answers are what a case must come to.
type Answers struct {
	Name                   string            `json:"name"`
	Logits                 [][]float64       `json:"logits"`
	Probabilities          [][]float64       `json:"probabilities"`
	Labels                 []json.RawMessage `json:"labels"`                  // per row a label, an array of them, or null
	LogitsTolerance        [][]float64       `json:"logits_tolerance"`        // per row and class
	ProbabilitiesTolerance []float64         `json:"probabilities_tolerance"` // per row
}

// A Report is what came of all cases.
type Report struct {
	Failures     []string // for each case that failed, its name and the first thing that is wrong
	Passed       int
	LargestError float64 // as a fraction of its tolerance
}

// Read reads the cases of a bundle.
func Read(bundle string) ([]Case, error) {
	path := filepath.Join(bundle, "vectors.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	var vectors struct {
		Cases []Case `json:"cases"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		return nil, malformed(path, err)
	}
	if len(vectors.Cases) == 0 {
		return nil, malformed(path, errors.New("it has no cases"))
	}
	for i := range vectors.Cases {
		if err := vectors.Cases[i].complete(bundle); err != nil {
			return nil, err
		}
	}
	return vectors.Cases, nil
}

func unreadable(path string, cause error) error {
	return fmt.Errorf("%w: a bundle must hold %s, it cannot be read: copy the bundle again, as a whole: %w",
		onnxhead.ErrBundle, path, cause)
}

func malformed(path string, cause error) error {
	return fmt.Errorf("%w: %s must be as onnxhead ships it, it is not: copy the bundle again, as a whole: %w",
		onnxhead.ErrBundle, path, cause)
}

// Check runs every case.
func Check(classifier *onnxhead.Classifier, cases []Case) Report {
	var report Report
	for _, c := range cases {
		ratio, problem := c.check(classifier)
		report.LargestError = max(report.LargestError, ratio)
		if problem != nil {
			report.Failures = append(report.Failures, fmt.Sprintf("%s: %v", c.Name, problem))
		} else {
			report.Passed++
		}
	}
	return report
}

// String returns the lines that the program check prints.
func (r Report) String() string {
	var text strings.Builder
	for _, failure := range r.Failures {
		fmt.Fprintf(&text, "FAILED %s\n", failure)
	}
	fmt.Fprintf(&text, "largest error: %s of its tolerance\n", number(r.LargestError, 3))
	fmt.Fprintf(&text, "%d passed, %d failed\n", r.Passed, len(r.Failures))
	return text.String()
}
