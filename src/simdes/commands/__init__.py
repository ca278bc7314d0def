"""The commands, one module per user's concern; `simdes.cli` puts them together."""
