"""The gateway's own database (paper: the local database beside the gateway).

One file per noun; each holds frozen rows and plain functions ``verb(tx, ...)``. It stores bytes,
integers and text as given and never decrypts: content that must stay secret arrives wrapped.
SQLite and PostgreSQL are used through the same verbs (`simdes.index.database`).
"""
