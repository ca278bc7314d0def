"""Who may: accounts, tokens, consent, custody of keys, and the evidence of all of it.

The floor that joins ledger, keys, database and content store into decisions (paper: "identity
management", "access control", "key management", "audit trail"):

- `categories`: the closed table of categories, labels, purposes, roles and kinds
- `keystore`, `accounts`, `tokens`: secrets at rest, people, who is asking
- `consent`, `record_lists`, `policy`, `chain_model`: terms, and the one rule over events
- `descriptors`, `directory`, `vaults`, `attestations`: who is there, who keeps what, who attests
- `local_keys`, `custody_keys`: keys of our own copies, and of shares we keep
- `requests`, `messages`: signed questions and answers of the custody API
- `custody` with `desk` and `custody_*`, `held`: what an organisation answers to others
- `asking`, `reading`: the side that asks
- `audit`, `audit_event`, `evidence`: the trail, its entries, and proofs of them
- `following`: what the chain's events lead to
"""
