"""The closed loop once around, on a real stack with real coughs."""
