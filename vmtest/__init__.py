"""Runs the suite on other kernels, in virtual machines: ``python -m vmtest IMAGE...``."""
