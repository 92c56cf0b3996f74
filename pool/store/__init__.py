"""PostgreSQL: the only door to the database."""
