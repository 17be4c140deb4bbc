"""What hospitals' systems are told, and how: addresses, signatures, sending, the loop."""
