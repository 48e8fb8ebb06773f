"""Futures in the window: predicting, what-if branches, comparing two, their curves."""
