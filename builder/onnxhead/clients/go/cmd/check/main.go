// Check compares the answers of a bundle's model with its vectors, or times it: check [-time] [BUNDLE].
//
// The bundle is the folder bundle unless another is named. The exit status is 1 where a case failed, and 2 where
// the bundle could not be loaded.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"

	"example.com/onnxhead"
	"example.com/onnxhead/internal/conformance"
)

func main() {
	timed := flag.Bool("time", false, "print the median time of a call that classifies one row")
	flag.Parse()
	if flag.NArg() > 1 {
		fmt.Fprintln(os.Stderr, "usage: check [-time] [BUNDLE]")
		os.Exit(2)
	}
	passed, err := run(os.Stdout, cmp.Or(flag.Arg(0), "bundle"), *timed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !passed {
		os.Exit(1)
	}
}

func run(output io.Writer, bundle string, timed bool) (passed bool, err error) {
	classifier, err := onnxhead.Load(bundle)
	if err != nil {
		return false, err
	}
	defer classifier.Close()
	cases, err := conformance.Read(bundle)
	if err != nil {
		return false, err
	}
	if timed {
		return true, printTime(output, classifier, cases)
	}
	report := conformance.Check(classifier, cases)
	fmt.Fprint(output, report)
	return len(report.Failures) == 0, nil
}

func printTime(output io.Writer, classifier *onnxhead.Classifier, cases []conformance.Case) error {
	median, err := conformance.MedianTime(classifier, cases)
	if err != nil {
		return err
	}
	fmt.Fprintf(output, "one row: %.2f us\n", float64(median.Nanoseconds())/1000)
	return nil
}
