"""Completion for shells: what completes each argument, and a script for each shell, made from the grammar."""
