"""Claims, pure: exact money, what is claimed for an encounter, an insurer's rules, their answers.

No chain, no clock, no database: `simdes.exchange.claims` is the journey (paper Fig. 5), this is
what it reckons with (docs/claims.md).
"""
