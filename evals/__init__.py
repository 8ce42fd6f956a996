"""Evals: what litrag claims, measured, with the controls that would show it did nothing."""
