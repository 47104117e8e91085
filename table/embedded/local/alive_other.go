//go:build !unix

package local

import "net"

// alive cannot tell here: the request will.
func alive(net.Conn) bool { return true }
