// Package interop holds the tests of what may not import each other: services in Go and in JavaScript that share a bus and a table, which run where
// INSIDEOUT_JS names a folder with the JavaScript library in its node_modules, and of which docs/interop.md has what they show; and triggers
// with the views behind them, or of rows that package gdpr writes.
package interop
