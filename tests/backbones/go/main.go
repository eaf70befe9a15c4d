// Digits names the digits in pictures: digits BUNDLE FILE.png ... prints a line of JSON per picture.
//
// It is cmd/digits of the Go project that onnxhead ships for the head on the image model. What it does to a picture is
// what tests/backbones/pictures.py does, step by step.
package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"

	"example.com/onnxhead"
)

const channels, height, width = 3, 48, 192

type answer struct {
	Label         onnxhead.Label `json:"label"`
	Probabilities []float32      `json:"probabilities"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: digits BUNDLE FILE.png ...")
	}
	classifier, err := onnxhead.Load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer classifier.Close()
	for _, path := range os.Args[2:] {
		if err := classify(classifier, path); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
	}
}

func classify(classifier *onnxhead.Classifier, path string) error {
	pixels, err := read(path)
	if err != nil {
		return err
	}
	predictions, err := classifier.Classify(map[string]onnxhead.Tensor{
		"x": onnxhead.NewTensor(pixels, 1, channels, height, width),
	})
	if err != nil {
		return err
	}
	line, err := json.Marshal(answer{predictions[0].Label(), predictions[0].Probabilities})
	fmt.Println(string(line))
	return err
}

// read returns the model's input: each pixel of the picture becomes a block, from -1 for black to 1 for white, and all
// channels are the same.
func read(path string) ([]float32, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		return nil, err
	}
	size := picture.Bounds().Size()
	if size.X == 0 || size.Y == 0 || height%size.Y != 0 || width%size.X != 0 {
		return nil, fmt.Errorf("a picture has a size that divides %d x %d, this one is %d x %d", height, width, size.Y, size.X)
	}
	pixels := make([]float32, 0, channels*height*width)
	for range channels {
		for y := range height {
			for x := range width {
				pixels = append(pixels, shade(picture, x*size.X/width, y*size.Y/height))
			}
		}
	}
	return pixels, nil
}

func shade(picture image.Image, x, y int) float32 {
	corner := picture.Bounds().Min
	grey := color.GrayModel.Convert(picture.At(corner.X+x, corner.Y+y)).(color.Gray)
	return (float32(grey.Y)/255 - 0.5) / 0.5
}
