"""Every way to read an input. Training and serving run the same code; nothing here imports torch."""
