package lake

// What tests need to be in a writer's way.
var (
	Lock   = lock
	Unlock = unlock
)

// Encode is the line of an event.
var Encode = encode
