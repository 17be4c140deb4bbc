"""What only the containers need: getting a fresh installation ready, and the health of a worker."""
