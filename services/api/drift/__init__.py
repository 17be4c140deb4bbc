"""Drift and performance in service: counting what ended, holding it against a reference, alerts, the board."""
