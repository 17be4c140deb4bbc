"""PostgreSQL: tables, statements, migrations."""
