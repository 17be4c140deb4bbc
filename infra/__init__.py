"""How the service is run: on one machine from wheels, or in containers."""
