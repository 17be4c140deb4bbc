"""The gateway: accepts uploads, answers polls, serves the pages. Never decodes an input or runs a model."""
