//go:build !linux

package pluginserver

import "syscall"

// endWithParent does nothing: only Linux ends a child with its parent.
func endWithParent() *syscall.SysProcAttr {
	return nil
}
