// Package dispatch takes events to a destination in requests that the destination accepts: by count and by bytes, a bounded number
// at a time, with the failed entries tried again, and the rest reported by event. The publishers of the services differ in their
// limits and in one call; what they have in common is here.
//
// # Order
//
// A destination that keeps an order does so for what it is sent in order, and a request with a failed entry in its middle has taken
// those behind it. So a request to an ordered destination has one event of a partition key at most, and the next one is sent when the
// one before it is out. An event that did not get out holds back those of its key, but for one that the destination will never take:
// waiting for it would hold them back for ever.
package dispatch
