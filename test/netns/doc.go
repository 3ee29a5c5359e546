// Package netns joins network namespaces of Linux for trials that run several machines on
// one. It guarantees that a packet from one site to another goes through this process,
// which hands it on, or does not, or does later, each direction by itself; and that
// namespaces, devices and mounts end with the process that made them. It trusts TUN
// devices, and needs no module of the kernel beside them. Only tests import it.
//
// Start here: Main, then New.
package netns
