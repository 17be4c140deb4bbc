"""The gateway, the worker and the trainer. They never import each other: they meet in rows, versions and queues."""
