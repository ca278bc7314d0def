"""What a consortium runs on its machines: Besu, IPFS, PostgreSQL, gateways behind a balancer.

`simdes network besu` writes it all from one description of the organisations (`spec`): the chain's
first block and node settings (`besu`), the private IPFS network (`kubo`), and the files that start
them (`render`, templates beside it). Each organisation makes its own secrets (`identities`); from
others only public parts are needed. How they are used: docs/operations/network.md.
"""
