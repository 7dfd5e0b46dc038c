"""Numbered steps from an empty file to the tables of today; alembic runs them when the file is opened."""
