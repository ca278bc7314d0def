"""Mails that say that something is new: whose addresses, about what, and how they go out.

A mail says that there is news and where to sign in, and nothing else (docs/decisions/0068-mail.md).
"""
