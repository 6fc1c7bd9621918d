"""Kernels that break a rule on purpose, and what the suite says of them."""
