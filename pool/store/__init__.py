"""The pool's memory on disk: PostgreSQL, embedded or external. The only room that knows asyncpg."""
