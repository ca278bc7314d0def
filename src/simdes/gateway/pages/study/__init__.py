"""The researcher's pages: studies on the ledger, a study's document, counts, releases."""
