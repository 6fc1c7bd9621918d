"""Everything that is not a test; see the module list in docs/architecture.md."""
