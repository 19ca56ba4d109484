"""The history of the store's schema. `runner` is the way in; alembic itself is loaded only to migrate."""
