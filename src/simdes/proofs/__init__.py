"""Zero-knowledge statements: what is shown about a record without showing the record (pure)."""
