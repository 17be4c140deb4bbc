"""Reports: one self-contained HTML page each, without a script and without anything to fetch."""
