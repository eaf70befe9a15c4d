package conformance

import (
	"slices"
	"strings"
	"testing"
)

func TestTheVectorsHaveEnoughRows(t *testing.T) {
	_, cases := load(t)
	rows := 0
	for _, c := range cases {
		rows += len(c.Features)
	}
	if rows < 16 {
		t.Errorf("the bundle has %d rows, expected 16 or more", rows)
	}
}

func TestARowOfAnotherWidthFails(t *testing.T) {
	classifier, cases := load(t)
	cases[0].Features[0] = nil
	report := Check(classifier, cases)
	if len(report.Failures) != 1 || !strings.HasPrefix(report.Failures[0], cases[0].Name+": bad features") {
		t.Errorf("expected one failure:\n%v", report)
	}
}

func TestWithoutARowNothingIsTimed(t *testing.T) {
	classifier, cases := load(t)
	empty := slices.DeleteFunc(cases, func(c Case) bool { return len(c.Features) > 0 })
	if _, err := MedianTime(classifier, empty); err == nil {
		t.Error("no row was timed")
	}
}
