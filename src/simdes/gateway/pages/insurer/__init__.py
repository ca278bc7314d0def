"""The insurer's pages: what was disclosed, deciding it, paying it."""
