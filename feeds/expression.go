package feeds

import (
	"regexp"
	"sync"
)

// expression is a regular expression that was checked already. It is compiled when it is first asked, for most runs ask
// few of them.
type expression struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// compiled makes one of what is compiled already.
func compiled(re *regexp.Regexp) *expression {
	x := &expression{text: re.String(), re: re}
	x.once.Do(func() {})
	return x
}

// regexp returns the compiled form. It is safe for concurrent use.
func (x *expression) regexp() *regexp.Regexp {
	x.once.Do(x.compile)
	return x.re
}

func (x *expression) compile() { x.re = regexp.MustCompile(x.text) }
