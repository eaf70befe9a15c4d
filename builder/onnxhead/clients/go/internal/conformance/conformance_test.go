package conformance

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/onnxhead"
)

const bundle = "../../bundle"

func load(t *testing.T) (*onnxhead.Classifier, []Case) {
	t.Helper()
	classifier, err := onnxhead.Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { classifier.Close() })
	cases, err := Read(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return classifier, cases
}

func TestEveryVectorIsWithinItsTolerance(t *testing.T) {
	classifier, cases := load(t)
	report := Check(classifier, cases)
	if len(report.Failures) > 0 || report.Passed != len(cases) {
		t.Errorf("%v", report)
	}
	if !(report.LargestError <= 1) {
		t.Errorf("the largest error is %v", report.LargestError)
	}
}

func TestAWrongVectorFails(t *testing.T) {
	wrongLabel := map[string]string{"softmax": `"another"`, "ovr": `"another"`, "sigmoid": `["another"]`}
	for because, spoil := range map[string]func(*Case, string){
		"logit of row 0, class 0 is":       func(c *Case, _ string) { c.Logits[0][0] += 2 * c.LogitsTolerance[0][0] },
		"probability of row 0, class 0 is": func(c *Case, _ string) { c.Probabilities[0][0] -= 2 * c.ProbabilitiesTolerance[0] },
		"label of row 0 is":                func(c *Case, link string) { c.Labels[0] = []byte(wrongLabel[link]) },
		"row 0 has":                        func(c *Case, _ string) { c.Logits[0] = append(c.Logits[0], 0) },
	} {
		classifier, cases := load(t)
		spoil(&cases[0], classifier.Link())
		report := Check(classifier, cases)
		if len(report.Failures) != 1 || !strings.HasPrefix(report.Failures[0], cases[0].Name+": "+because) {
			t.Errorf("expected one failure, %q:\n%v", because, report)
		}
	}
}

func TestVectorsThatAreNotAsShippedAreRefused(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "vectors.json")
	for content, because := range map[string]string{
		"":              "a bundle must hold " + path + ", it cannot be read: copy the bundle again",
		"{":             path + " must be as onnxhead ships it, it is not: copy the bundle again",
		`{"cases": []}`: "it has no cases",
	} {
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Read(folder); !errors.Is(err, onnxhead.ErrBundle) || !strings.Contains(err.Error(), because) {
			t.Errorf("%q: got %v, expected ErrBundle: %s", content, err, because)
		}
		os.Remove(path)
	}
}

func TestTheReportIsThatOfTheSpecification(t *testing.T) {
	report := Report{Failures: []string{"large logits: label"}, Passed: 7, LargestError: 0.21234}
	want := "FAILED large logits: label\nlargest error: 0.212 of its tolerance\n7 passed, 1 failed\n"
	if got := report.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNumbersAreWrittenShortly(t *testing.T) {
	numbers := []float64{0, 0.0001, 0.126049, 1, 536.2, 123456, math.Inf(1), math.Inf(-1), math.NaN()}
	want := []string{"0", "0.0001", "0.126", "1", "536", "1.23e+05", "inf", "-inf", "nan"}
	for i, got := range numbers {
		if number(got, 3) != want[i] {
			t.Errorf("%v is written as %s, expected %s", got, number(got, 3), want[i])
		}
	}
}

func TestAProblemNamesThePlaceAndBothNumbers(t *testing.T) {
	_, problem := compareNumbers("logit", 1, []float32{3, 4, -999.1}, []float64{3, 4, -999.5}, []float64{1, 1, 0.00095})
	if want := "logit of row 1, class 2 is -999.1, expected -999.5 within 0.00095"; problem == nil || problem.Error() != want {
		t.Errorf("got %v, expected %s", problem, want)
	}
}

func TestNaNIsTheLargestError(t *testing.T) {
	nan := float32(math.NaN())
	for _, answers := range [][]float32{{nan, 1}, {1, nan}, {nan, float32(math.Inf(1))}} {
		largest, problem := compareNumbers("logit", 0, answers, []float64{1, 1}, []float64{1, 1})
		if !math.IsNaN(largest) || problem == nil {
			t.Errorf("the largest error of %v is %v, with the problem %v", answers, largest, problem)
		}
	}
}

func TestOneRowIsTimed(t *testing.T) {
	classifier, cases := load(t)
	if median, err := MedianTime(classifier, cases); median <= 0 || err != nil {
		t.Errorf("got %v, %v", median, err)
	}
}
