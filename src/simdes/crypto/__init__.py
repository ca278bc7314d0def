"""Cryptographic Module of the paper: records sealed so that no single server holds the key.

Pure functions over bytes: no clock, no network, no database; randomness is passed in. The byte
formats are specified, apart from this code, in ``docs/formats``.

- `digest`     hashes and key derivation
- `keys`       signing keys (accounts), opening keys (custodians, organisations), locked secrets
- `seal`       the verbs: seal a record, open a share, combine shares, open a body
- `letter`     one message for several recipients that names none of them
- `anchor`     leaves, Merkle trees and batch ids of what stands on chain
- `manifest`   the public list of a batch and its sealed entries
- `dealing`    new custodians without the author: old custodians deal their shares onward
"""
