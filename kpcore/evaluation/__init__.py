"""Measures of what models have learnt."""
