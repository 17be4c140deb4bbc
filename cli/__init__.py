"""The command line. It speaks HTTP to the gateway, except where a command runs the service itself."""
