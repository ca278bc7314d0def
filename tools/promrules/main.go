// Promrules reads files of alerts by Prometheus's own parser of rules, every expression included,
// and says what is wrong: what `promtool check rules` looks at, without the rest of promtool.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
)

func main() {
	wrong := 0
	for _, name := range os.Args[1:] {
		groups, errs := rulefmt.ParseFile(name, false)
		for _, err := range errs {
			wrong++
			fmt.Fprintln(os.Stderr, err)
		}
		if groups != nil {
			rules := 0
			for _, group := range groups.Groups {
				rules += len(group.Rules)
			}
			fmt.Printf("%s: %d groups, %d rules\n", name, len(groups.Groups), rules)
		}
	}
	if wrong > 0 || len(os.Args) < 2 {
		os.Exit(1)
	}
}
