"""Getting: from blocks to files and folders."""
