package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"example.com/onnxhead"
)

const warmup, calls = 20, 200

// A Case is a batch of inputs with its answers.
type Case struct {
	Answers
	Inputs []struct {
		Name  string  `json:"name"`
		DType string  `json:"dtype"`
		Shape []int64 `json:"shape"`
		File  string  `json:"file"`
	} `json:"inputs"`

	tensors map[string]onnxhead.Tensor // by name
}

var inDataSet = regexp.MustCompile(`^test_data_set_\d+/\w+\.\w+$`)

var decoders = map[string]func(content []byte, shape []int64) (onnxhead.Tensor, error){
	"float32": decode[float32],
	"float64": decode[float64],
	"bool":    decode[bool],
	"int8":    decode[int8],
	"int16":   decode[int16],
	"int32":   decode[int32],
	"int64":   decode[int64],
	"uint8":   decode[uint8],
	"uint16":  decode[uint16],
	"uint32":  decode[uint32],
	"uint64":  decode[uint64],
}

// complete reads the inputs from the files that vectors.json names.
func (c *Case) complete(bundle string) error {
	path := filepath.Join(bundle, "vectors.json")
	rows := len(c.Labels)
	if rows == 0 || len(c.Logits) != rows || len(c.Probabilities) != rows || len(c.LogitsTolerance) != rows ||
		len(c.ProbabilitiesTolerance) != rows {
		return malformed(path, errors.New("a case has no rows, or not an answer for each"))
	}
	c.tensors = map[string]onnxhead.Tensor{}
	for _, one := range c.Inputs {
		if !inDataSet.MatchString(one.File) {
			return malformed(path, fmt.Errorf("the file of an input is in a test_data_set, %q is not", one.File))
		}
		decoder, known := decoders[one.DType]
		if !known {
			return malformed(path, fmt.Errorf("an input is of floats, integers or booleans, %s is of %q", one.Name, one.DType))
		}
		content, err := os.ReadFile(filepath.Join(bundle, one.File))
		if err != nil {
			return unreadable(filepath.Join(bundle, one.File), err)
		}
		if c.tensors[one.Name], err = decoder(content, one.Shape); err != nil {
			return malformed(filepath.Join(bundle, one.File), err)
		}
	}
	return nil
}

// decode reads elements in little-endian order.
func decode[T onnxhead.Element](content []byte, shape []int64) (onnxhead.Tensor, error) {
	var zero T
	elements := make([]T, len(content)/binary.Size(zero))
	if err := binary.Read(bytes.NewReader(content), binary.LittleEndian, elements); err != nil && len(elements) > 0 {
		return onnxhead.Tensor{}, err
	}
	places := int64(1)
	for _, length := range shape {
		places *= length
	}
	if places != int64(len(elements)) || len(content)%binary.Size(zero) != 0 {
		return onnxhead.Tensor{}, fmt.Errorf("%T %v has not %d bytes", zero, shape, len(content))
	}
	return onnxhead.NewTensor(elements, shape...), nil
}

// run classifies the batch.
func (c Case) run(classifier *onnxhead.Classifier) ([]onnxhead.Prediction, error) {
	predictions, err := classifier.Classify(c.tensors)
	if err == nil && len(predictions) != len(c.Labels) {
		return nil, fmt.Errorf("%d answers for %d rows", len(predictions), len(c.Labels))
	}
	return predictions, err
}

// timed returns a call that is worth timing, that of the case with the fewest rows, and how many it has.
func timed(classifier *onnxhead.Classifier, cases []Case) (call func() error, rows int, err error) {
	shortest := slices.MinFunc(cases, func(a, b Case) int { return len(a.Labels) - len(b.Labels) })
	return func() error {
		_, err := classifier.Classify(shortest.tensors)
		return err
	}, len(shortest.Labels), nil
}
