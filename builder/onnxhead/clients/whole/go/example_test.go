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

	for _, input := range classifier.Inputs() {
		fmt.Println(input) // name, type and shape; ? is an axis of any length
	}
	pixels := make([]float32, 1*3*224*224) // your picture
	predictions, err := classifier.Classify(map[string]onnxhead.Tensor{
		"pixels": onnxhead.NewTensor(pixels, 1, 3, 224, 224), // an input by its name, with its shape
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, prediction := range predictions { // one per row
		fmt.Println(prediction.Label()) // nil where a probability is NaN
		fmt.Println(prediction.Logits, prediction.Probabilities)
		fmt.Println(prediction.Above(0.5)) // for models whose labels are independent

		top, err := prediction.Top(3) // the most probable labels with their probabilities
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(top)
	}
}
