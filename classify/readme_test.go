package classify

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

// The weights that README shows are those in use, and no kind is left out.
func TestWeightsInReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	require.NoError(t, err)
	signs, behaviours, _ := strings.Cut(string(b), "Behaviour is shown beside")
	row := regexp.MustCompile(`(?m)^\| ([a-z_]+) \|[^|]*\| ([0-9.]+) (?:\| ([0-9.]+) \| ([0-9.]+) )?\|$`)
	got := map[string]string{}
	for i, part := range []string{signs, behaviours} {
		for _, m := range row.FindAllStringSubmatch(part, -1) {
			got[fmt.Sprint(m[1], i)] = strings.TrimSpace(strings.Join(m[2:], " "))
		}
	}
	want := map[string]string{}
	for k := KindLookup; k < KindAgainst; k++ {
		if kindWeight[k] > 0 {
			want[k.String()+"0"] = fmt.Sprintf("%.2f %.2f %.2f", weight(k, feeds.Weak)+1e-9, weight(k, feeds.Medium)+1e-9, weight(k, feeds.Strong)-1e-9)
		}
		if w := behaviourWeight(k); w > 0 {
			want[k.String()+"1"] = fmt.Sprintf("%.2f", w)
		}
	}
	require.Equal(t, want, got)
}
