"""SQL over a store: named queries, searches, and SQL that a user wrote."""
