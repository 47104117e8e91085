package cdc

// PlainJSON is for the tests of what takes the place of a second look at a body.
var PlainJSON = plainJSON
