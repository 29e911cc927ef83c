"""The command line (docs/design.md, section 9)."""
