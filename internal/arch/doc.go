// Package arch reads the source of this module and holds the rules of the house: which package may import which, how long
// a function may be, what must be documented, and what the module depends on.
//
// Start with [Load], which parses the module, and [Rules], which lists the checks. The package's own tests run every rule on
// the module, and every rule on a planted fault, so that no rule can go blind.
package arch
