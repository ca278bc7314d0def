"""Insurance claims (paper Fig. 5; docs/claims.md)."""
