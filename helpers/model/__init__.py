"""An executable specification of thread groups and pidfds, and its comparison with the kernel."""
