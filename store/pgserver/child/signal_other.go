//go:build unix && !linux

package child

import "syscall"

// signalOnParentDeath does nothing: only Linux tells children of their parent's death.
func signalOnParentDeath(*syscall.SysProcAttr, syscall.Signal) {}
