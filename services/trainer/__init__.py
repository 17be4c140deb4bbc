"""The trainer: trains recipes, evaluates them honestly and publishes versions."""
