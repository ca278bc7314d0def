"""Backups of one organisation: all three stores, encrypted, and keys that keep no history.

`repository` is a folder of backups, `keyfile` its copy of the keys that erasure destroys, `making`
writes a backup, `checking` reads one, `restoring` brings an organisation back. Format:
``docs/formats/backup.md``; why: ``docs/decisions/0043-backup.md``.
"""
