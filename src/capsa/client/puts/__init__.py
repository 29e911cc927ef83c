"""Putting: from files and folders to blocks at home."""
