"""What more than one service agrees on. Imports no service."""
