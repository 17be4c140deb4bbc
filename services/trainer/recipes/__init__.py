"""Documented models: one file each. Importing the package's modules registers them; see `services.trainer.recipe`."""
