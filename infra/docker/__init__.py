"""What only the containers need: getting a fresh installation ready, the worker's health, numba's cache."""
