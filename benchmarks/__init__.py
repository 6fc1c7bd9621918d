"""Figures for the documentation, each by one command."""
