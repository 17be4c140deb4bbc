"""Faults, and how we know that nothing was lost or doubled by them."""
