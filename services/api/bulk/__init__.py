"""Bulk: how a batch comes in (archive, manifest, filling) and goes out (views, export)."""
