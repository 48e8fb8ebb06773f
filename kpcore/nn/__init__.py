"""Building blocks of networks, one backbone a file, paper cited."""
