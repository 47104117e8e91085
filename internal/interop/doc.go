// Package interop holds the tests of services in Go and in JavaScript that share a bus and a table; docs/interop.md has what
// they show. They run where INSIDEOUT_JS names a folder with the JavaScript library in its node_modules.
package interop
