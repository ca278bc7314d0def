"""Research on anonymised data: studies, who takes part, what is released (docs/research.md)."""
