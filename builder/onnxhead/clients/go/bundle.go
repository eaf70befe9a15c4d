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

// A stated is what the head.json of every format says.
type stated struct {
	Format  string            `json:"format"`
	Model   string            `json:"model"`
	SHA256  map[string]string `json:"sha256"` // by file name
	Outputs []string          `json:"outputs"`
	Classes int               `json:"classes"`
	Labels  label.List        `json:"labels"`
	Link    string            `json:"link"`
}

// A parsed is a head.json: what every format says, and what is wrong in the rest.
type parsed interface {
	common() *stated
	problem() error
}

// readHead reads head.json, which must have the format wanted, into a description, and holds the files of the model
// to the hashes in it.
func readHead(folder, wanted string, into parsed) error {
	path := filepath.Join(folder, "head.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: a bundle must have a head.json, %s has none: name the bundle's folder, or copy the bundle "+
			"again, as a whole", ErrBundle, folder)
	}
	if err != nil {
		return unreadable(path, err)
	}
	if format := statedFormat(data); format != nil && format != wanted {
		return fmt.Errorf("%w: this client reads bundles of format %s, %s states %v: ship it again with the onnxhead that this "+
			"client came with, and take the client that is shipped there: heads alone (format 1) and models with a backbone "+
			"(format 2) have one each", ErrBundle, wanted, folder, format)
	}
	if err := parse(data, wanted, into); err != nil {
		return fmt.Errorf("%w: %s must be as onnxhead ships it, it is not: copy the bundle again, as a whole: %w",
			ErrBundle, path, err)
	}
	hashes := into.common().SHA256
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		if err := checkHash(filepath.Join(folder, name), hashes[name]); err != nil {
			return err
		}
	}
	return nil
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

func parse(data []byte, wanted string, into parsed) error {
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	d := into.common()
	_, hashed := d.SHA256[d.Model]
	switch {
	case d.Format != wanted:
		return errors.New("it must state its format")
	case !hashed:
		return fmt.Errorf("it must state the SHA-256 of the model %q", d.Model)
	case len(d.Outputs) != 2:
		return fmt.Errorf("a model has two outputs, it states %q", d.Outputs)
	case d.Classes < 1 || len(d.Labels) != d.Classes:
		return fmt.Errorf("a model has one label per class, it states %d classes and %d labels", d.Classes, len(d.Labels))
	case !slices.Contains([]string{"softmax", "sigmoid", "ovr"}, d.Link):
		return fmt.Errorf("the link must be softmax, sigmoid or ovr, it states %q", d.Link)
	}
	return into.problem()
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
