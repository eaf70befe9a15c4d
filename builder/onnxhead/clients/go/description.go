package onnxhead

import (
	"fmt"
)

// format is that of the bundles of heads alone.
const format = "1"

// description is what head.json says.
type description struct {
	stated
	Inputs   []string `json:"inputs"`
	Features int      `json:"features"`
}

func (d *description) common() *stated { return &d.stated }

func (d *description) problem() error {
	if len(d.Inputs) != 1 {
		return fmt.Errorf("a head has one input, it states %q", d.Inputs)
	}
	if d.Features < 1 {
		return fmt.Errorf("a head has one feature or more, it states %d", d.Features)
	}
	return nil
}
