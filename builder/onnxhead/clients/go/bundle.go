package onnxhead

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"example.com/onnxhead/internal/label"
)

// description is what head.json says.
type description struct {
	Format   string            `json:"format"`
	Model    string            `json:"model"`
	SHA256   map[string]string `json:"sha256"` // by file name
	Inputs   []string          `json:"inputs"`
	Outputs  []string          `json:"outputs"`
	Features int               `json:"features"`
	Classes  int               `json:"classes"`
	Labels   label.List        `json:"labels"`
	Link     string            `json:"link"`
}

// readBundle reads head.json, and holds the files of the model to the hashes in it.
func readBundle(folder string) (*description, error) {
	data, err := os.ReadFile(filepath.Join(folder, "head.json"))
	if err != nil {
		return nil, fmt.Errorf("%w: a bundle must have a head.json, %s has none: name the folder that onnxhead shipped: %w",
			ErrBundle, folder, err)
	}
	description, err := parseDescription(data)
	if err != nil {
		return nil, fmt.Errorf("%w: head.json must be as onnxhead ships it, that of %s is not: %w", ErrBundle, folder, err)
	}
	for _, name := range slices.Sorted(maps.Keys(description.SHA256)) {
		if err := checkHash(filepath.Join(folder, name), description.SHA256[name]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBundle, err)
		}
	}
	return description, nil
}

func parseDescription(data []byte) (*description, error) {
	var d description
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	_, hashed := d.SHA256[d.Model]
	switch {
	case d.Format != "1":
		return nil, fmt.Errorf("this client reads format \"1\", it states %q: ship it again with the onnxhead of this client", d.Format)
	case !hashed:
		return nil, fmt.Errorf("it must state the SHA-256 of the model %q", d.Model)
	case len(d.Inputs) != 1 || len(d.Outputs) != 2:
		return nil, fmt.Errorf("a head has one input and two outputs, it states %q and %q", d.Inputs, d.Outputs)
	case d.Features < 1:
		return nil, fmt.Errorf("a head has one feature or more, it states %d", d.Features)
	case d.Classes < 1 || len(d.Labels) != d.Classes:
		return nil, fmt.Errorf("a head has one label per class, it states %d classes and %d labels", d.Classes, len(d.Labels))
	case !slices.Contains([]string{"softmax", "sigmoid", "ovr"}, d.Link):
		return nil, fmt.Errorf("the link must be softmax, sigmoid or ovr, it states %q", d.Link)
	}
	return &d, nil
}

func checkHash(path, stated string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("a bundle must hold the files in head.json, one is not there: copy it again, as a whole: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if found := hex.EncodeToString(hash.Sum(nil)); found != stated {
		return fmt.Errorf("%s must be the file that was shipped, its SHA-256 is %s and head.json states %s: "+
			"copy the bundle again, as a whole", path, found, stated)
	}
	return nil
}
