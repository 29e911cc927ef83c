"""What moves on a terminal: progress, the picture of a put, top."""
