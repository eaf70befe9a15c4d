// Check compares the answers of a bundle's model with its vectors, or times it: check [--time] [BUNDLE].
//
// The bundle is the folder bundle unless another is named. The exit status is 1 where a case failed, and 2 where
// the bundle could not be loaded or the arguments are others.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"example.com/onnxhead"
	"example.com/onnxhead/internal/conformance"
)

var errUsage = errors.New("usage: check [--time] [BUNDLE]")

func main() {
	bundle, timed, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	passed, err := run(os.Stdout, bundle, timed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !passed {
		os.Exit(1)
	}
}

func parse(arguments []string) (bundle string, timed bool, err error) {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the usage says it all
	flags.BoolVar(&timed, "time", false, "")
	if flags.Parse(arguments) != nil || flags.NArg() > 1 {
		return "", false, errUsage
	}
	return cmp.Or(flags.Arg(0), "bundle"), timed, nil
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
