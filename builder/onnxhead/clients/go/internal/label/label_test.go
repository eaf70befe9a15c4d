package label

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestKindsAreKeptApart(t *testing.T) {
	var got List
	if err := json.Unmarshal([]byte(`["1", "naïve \"é\"\n", 1, 1.0, true, -7, 9007199254740992, 2.5e-3]`), &got); err != nil {
		t.Fatal(err)
	}
	want := List{"1", "naïve \"é\"\n", int64(1), 1.0, true, int64(-7), int64(1) << 53, 0.0025}
	if !slices.Equal(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

func TestWhatIsNoLabelIsRefused(t *testing.T) {
	for _, text := range []string{`[null]`, `[["a"]]`, `[{"a": 1}]`, `[1e999]`, `"a"`} {
		var labels List
		if err := json.Unmarshal([]byte(text), &labels); err == nil {
			t.Errorf("%s was read as %#v", text, labels)
		}
	}
}
