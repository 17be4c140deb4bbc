"""Every SQL statement that more than one line of code needs, as values that sync and async sessions both execute."""
