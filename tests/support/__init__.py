"""What several suites share: a consortium in folders, seeded identifiers and a scanner for them."""
