"""Pages: server-rendered HTML for people, one style sheet, one small script, nothing from elsewhere."""
