package onnxhead

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	path := filepath.Join(folder, "head.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: a bundle must have a head.json, %s has none: name the bundle's folder, or copy the bundle "+
			"again, as a whole", ErrBundle, folder)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	if format := statedFormat(data); format != nil && format != "1" {
		return nil, fmt.Errorf("%w: this client reads bundles of format 1, %s states %v: ship it again with the onnxhead that "+
			"this client came with", ErrBundle, folder, format)
	}
	description, err := parseDescription(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s must be as onnxhead ships it, it is not: copy the bundle again, as a whole: %w",
			ErrBundle, path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(description.SHA256)) {
		if err := checkHash(filepath.Join(folder, name), description.SHA256[name]); err != nil {
			return nil, err
		}
	}
	return description, nil
}

// statedFormat is read before all else, since another format may state that otherwise; nil where there is none.
func statedFormat(data []byte) any {
	var version struct {
		Format any `json:"format"`
	}
	if json.Unmarshal(data, &version) != nil {
		return nil
	}
	return version.Format
}

func parseDescription(data []byte) (*description, error) {
	var d description
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	_, hashed := d.SHA256[d.Model]
	switch {
	case d.Format != "1":
		return nil, errors.New("it must state its format")
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
		return unreadable(path, err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return unreadable(path, err)
	}
	if found := hex.EncodeToString(hash.Sum(nil)); found != stated {
		return fmt.Errorf("%w: %s must be the file that was shipped, its SHA-256 is %s and head.json states %s: "+
			"copy the bundle again, as a whole", ErrBundle, path, found, stated)
	}
	return nil
}

func unreadable(path string, cause error) error {
	return fmt.Errorf("%w: a bundle must hold %s, it cannot be read: copy the bundle again, as a whole: %w",
		ErrBundle, path, cause)
}
