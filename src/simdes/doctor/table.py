"""The table of checks: name, part, what it means, what to do, and the function that looks.

`docs/operations/doctor.md` shows the same table; a test compares them, and makes the fault of each
row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.doctor import databases, fingerprints, folder, inside, ipfs, ledger_nodes, mail
from simdes.doctor.check import Check
from simdes.doctor.databases import answering

_PLACED: Final = (
    Check(
        "settings",
        "settings",
        "simdes.toml can be read and its values are possible",
        "Correct the setting in simdes.toml (docs/guide.md lists them).",
        folder.settings,
    ),
    Check(
        "key-files",
        "keys",
        "files with keys and secrets are there and only their owner reads them",
        "Restore what is missing; take the rights of others away with `chmod 600`.",
        folder.key_files,
    ),
    Check(
        "network-files",
        "contracts",
        "network.json and pins.json can be read and name the same contracts",
        "Restore both from the backup, or accept the network anew with `simdes doctor --accept`.",
        folder.network_files,
    ),
    Check(
        "base-url",
        "address",
        "custody_url is an address under which others can reach this gateway, with TLS",
        "Set custody_url to https://HOST, the address of the balancer in front.",
        folder.base_url,
    ),
    Check(
        "tls",
        "address",
        "certificates fit their keys and names, and do not end soon",
        "Renew the certificate; give key and certificate of one pair (docs/guide.md).",
        folder.tls,
    ),
    Check(
        "disk",
        "machine",
        "there is room, in bytes and in files, wherever this organisation writes",
        "Make room or move the folder; below disk_free_mib the gateway is not ready.",
        folder.disk,
    ),
    Check(
        "file-system",
        "machine",
        "SQLite and the embedded ledger lie on a disk of this machine",
        "Move them to a local disk, or use PostgreSQL: their locks do not hold over a network.",
        folder.file_system,
    ),
    Check(
        "file-limit",
        "machine",
        "as many files may be open as connections are taken",
        "Raise it: LimitNOFILE= for systemd, ulimits for containers, `ulimit -n` in a shell.",
        folder.file_limit,
    ),
    Check(
        "ledger-answers",
        "ledger",
        "each ledger node answers JSON-RPC",
        "Start the node, open its RPC port to this gateway, or correct ledger_url.",
        ledger_nodes.answer,
    ),
    Check(
        "ledger-chain",
        "ledger",
        "each node is on the chain that was joined: chain id and first block",
        "Point ledger_url at nodes of this network; another genesis.json is another network.",
        ledger_nodes.chain,
    ),
    Check(
        "ledger-contracts",
        "ledger",
        "each node gives the contracts' code that was accepted",
        "Ask the owners whether they upgraded; if not, the node lies: take it out of ledger_url.",
        ledger_nodes.contracts,
    ),
    Check(
        "ledger-peers",
        "ledger",
        "each node has peers",
        "Check static-nodes.json, the allow-list and port 30303 between members.",
        ledger_nodes.peers,
    ),
    Check(
        "ledger-head",
        "ledger",
        "each node's newest block is new, and none lags behind another",
        "Wait while it loads; else look at its log and peers; fewer than two thirds of the"
        " validators make no blocks.",
        ledger_nodes.head,
    ),
    Check(
        "ledger-clock",
        "clock",
        "no block is ahead of this machine's clock",
        "Synchronise the clock (NTP) here, and of the validator that made the block.",
        ledger_nodes.clock,
    ),
    Check(
        "ledger-fees",
        "ledger",
        "transactions are free: base fee and least gas price are zero",
        "The first block needs zeroBaseFee, each node min-gas-price=0.",
        ledger_nodes.fees,
    ),
    Check(
        "ledger-agreement",
        "ledger",
        "several nodes say the same of one block",
        "One of them lies or is broken: ask a third, and take the wrong one out of ledger_url.",
        ledger_nodes.agreement,
    ),
    Check(
        "stale-limit",
        "ledger",
        "where blocks come by the clock, their age has a limit",
        "Set stale_after_seconds (30 or so), so that custodians refuse on a ledger that stands.",
        ledger_nodes.stale_limit,
    ),
    Check(
        "ipfs-answers",
        "storage",
        "the IPFS node's RPC API answers",
        "Start the node, or correct store_url.",
        ipfs.answer,
    ),
    Check(
        "ipfs-private",
        "storage",
        "the IPFS node joins no public network: no bootstrap, no routing, no discovery",
        "Set the node as docs/storage.md says (`ipfs bootstrap rm --all`, Routing.Type none).",
        ipfs.private,
    ),
    Check(
        "ipfs-gateway",
        "storage",
        "the IPFS node gives and takes nothing over HTTP but from this organisation",
        "Set Addresses.Gateway to [] and Addresses.API to an inner address; restart the node.",
        ipfs.gateway,
    ),
    Check(
        "ipfs-swarm",
        "storage",
        "the members' IPFS nodes are connected, and no others",
        "Compare swarm.key with the network's, Peering.Peers with ipfs/peers.json; open port 4001.",
        ipfs.swarm,
    ),
    Check(
        "ipfs-durable",
        "storage",
        "the IPFS node syncs what it acknowledges",
        "Set sync to true in the node's Datastore.Spec and datastore_spec file.",
        ipfs.durable,
    ),
    Check(
        "ipfs-room",
        "storage",
        "the IPFS node has room left",
        "Raise Datastore.StorageMax, or give the node a larger disk.",
        ipfs.room,
    ),
    Check(
        "database-answers",
        "database",
        "the database takes a connection with the settings' name and password",
        "Start the server; check host, port, name and password of database_url.",
        databases.answer,
    ),
    Check(
        "database-schema",
        "database",
        "the schema is the one that this program was written for",
        "Run the release that fits the database (docs/operations/upgrade.md).",
        answering(databases.schema),
    ),
    Check(
        "database-modes",
        "database",
        "what is committed is durable, sessions begin as the program expects, no pooler is between",
        "Correct postgresql.conf, or ALTER ROLE … RESET what was set for this user.",
        answering(databases.modes),
    ),
    Check(
        "database-rights",
        "database",
        "this user may read and change every table, and upgrade the schema",
        "GRANT what is missing to the user of database_url.",
        answering(databases.rights),
    ),
    Check(
        "database-connections",
        "database",
        "connections are left for another gateway",
        "Raise max_connections, or run fewer processes.",
        answering(databases.connections),
    ),
    Check(
        "database-clock",
        "clock",
        "the database server's clock is this machine's",
        "Synchronise the clocks (NTP).",
        answering(databases.clock),
    ),
    Check(
        "mail",
        "mail",
        "the mail server takes mails: address, certificate, login, sender",
        "Correct mail_url, mail_from or the password (docs/operations/mail.md).",
        mail.taken,
    ),
)

_OPENED: Final = (
    Check(
        "start",
        "start",
        "the organisation opens: key store, database, ledger, store",
        "See what other checks say; the log has the rest.",
        inside.started,
    ),
    Check(
        "ledger",
        "ledger",
        "the ledger as the gateway sees it: head neither old nor ahead of the clock",
        "Check that the node runs and is connected to the network.",
        inside.ledger,
    ),
    Check(
        "contracts",
        "contracts",
        "genesis, contracts and their code are those that the operator accepted",
        "Ask the network's owners; then accept it with `simdes doctor --accept`.",
        inside.contracts,
    ),
    Check(
        "ledger-history",
        "ledger",
        "the ledger still has the transactions that it took",
        "The node was rolled back or replaced: compare its blocks with another member's.",
        inside.history,
    ),
    Check(
        "lanes",
        "ledger",
        "nobody else sends with this organisation's ledger lanes",
        "A copy of this folder runs elsewhere, or the database is older than the chain: stop the"
        " other gateway, or give both one PostgreSQL.",
        inside.lanes,
    ),
    Check(
        "organisation",
        "organisation",
        "the network knows and has verified this organisation and its software",
        "An owner of the network must run `simdes organisation verify`.",
        inside.organisation,
    ),
    Check(
        "published-url",
        "address",
        "the address that others were told is custody_url and leads to this gateway",
        "Set custody_url to what stands on the chain, and let the balancer lead there.",
        inside.published_url,
    ),
    Check(
        "proxy",
        "address",
        "the proxy in front shows nobody what is for this machine alone",
        "Let it set X-Forwarded-For and close /metrics, or set metrics_token_file.",
        inside.proxy,
    ),
    Check(
        "audit-trail",
        "database",
        "each audit entry here follows the one before it",
        "Somebody changed the database: keep it, restore a backup beside it, compare.",
        inside.audit,
    ),
    Check(
        "storage",
        "storage",
        "the content store gives back what it was given",
        "Check store_url and what it names.",
        inside.storage,
    ),
    Check(
        "copies",
        "storage",
        "as many copies lie at other organisations as are to, none damaged, none unread",
        "See `simdes storage status`; a worker must run here and custodians must answer.",
        inside.copies,
    ),
    Check(
        "erasures",
        "custodians",
        "every organisation signed, soon, for a vault that was erased",
        "They are asked again by themselves: call those who do not answer; see `simdes vault erase"
        " --status` for who refused.",
        inside.erasures,
    ),
    Check(
        "custodians",
        "custodians",
        "enough other organisations are verified and answer",
        "Start their gateways (`simdes serve`), or check their custody URLs.",
        inside.custodians,
    ),
    Check(
        "custodians-network",
        "custodians",
        "custodians are who they should be, on this chain, with this time",
        "Call them: a wrong custody URL, another network, or a clock without NTP.",
        inside.same_network,
    ),
    Check(
        "epochs",
        "custodians",
        "our custody keys are here and of the vaults' present epochs",
        "The database is older than the vaults: restore a newer one, or let their organisations"
        " renew them (`simdes vault renew`).",
        inside.epochs,
    ),
    Check(
        "fingerprints",
        "custodians",
        "our shares of keys of fingerprints open and can be used",
        "Restore the database from a backup, or have the key handed on to others"
        " (`simdes fingerprints propose --previous`).",
        fingerprints.shares,
    ),
    Check(
        "work",
        "work",
        "nothing waits long to be sealed and anchored; nothing is in quarantine",
        "A worker must run (`simdes serve`); its log says what holds it up.",
        inside.work,
    ),
)

PLACED: Final = frozenset(one.name for one in _PLACED)
"""Checks that look at a `Place`."""
OPENED: Final = frozenset(one.name for one in _OPENED)
"""Checks that look at an `Opened`."""
CHECKS: Final[Mapping[str, Check]] = {one.name: one for one in (*_PLACED, *_OPENED)}
"""Every check by its name, in the order in which findings are told."""
