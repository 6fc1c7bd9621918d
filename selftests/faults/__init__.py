"""Faults between the tests and the kernel: ways in which a kernel could break a documented rule."""
