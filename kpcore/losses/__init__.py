"""Loss terms, one idea a file, equations cited."""
