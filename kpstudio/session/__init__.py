"""What is open and how it is edited, as pure values: no Qt, no threads, no torch at import."""
