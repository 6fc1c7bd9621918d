"""What runs inside a virtual machine."""
