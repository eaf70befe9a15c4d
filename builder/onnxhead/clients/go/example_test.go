package onnxhead_test

import (
	"fmt"
	"log"

	"example.com/onnxhead"
)

func Example() {
	classifier, err := onnxhead.Load("bundle")
	if err != nil {
		log.Fatal(err)
	}
	defer classifier.Close()

	row := make([]float32, classifier.Features()) // your features
	prediction, err := classifier.Classify(row)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prediction.Label()) // nil where a feature is NaN or a logit overflows
	fmt.Println(prediction.Logits, prediction.Probabilities)
	fmt.Println(prediction.Above(0.5)) // for heads whose labels are independent

	top, err := prediction.Top(3) // the most probable labels with their probabilities
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(top)
}
