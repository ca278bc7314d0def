"""Mails that are due go out: the worker's part.

Who has news gets one mail about all of it, some a day at most; a mail is a row until the server
took it or its time is over. It is sent first and dropped then: a program that is killed between the
two is followed by one that sends it again, under the same Message-ID. Processes share the work:
rows are claimed past each other, for a time.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from simdes import logs
from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange.mail import news, sealing, words
from simdes.exchange.mail.port import Letter
from simdes.exchange.node import Node
from simdes.index import mail as rows
from simdes.index.transaction import Transaction

IDLE_SECONDS: Final = 1.0
WITHOUT_SECONDS: Final = 60.0
"""How often an organisation looks that sends no mails (any more): what it keeps of them ends."""
ALARMS_A_DAY: Final = 10
"""Mails about what can't wait that a person gets; the rest waits for the next day."""
NEWS_LASTS_MS: Final = 3 * 86_400_000
LEASE_MS: Final = 120_000
FIRST_PAUSE_MS: Final = 30_000
LONGEST_PAUSE_MS: Final = 3_600_000
AT_ONCE: Final = 20
_DAY_MS: Final = 86_400_000

_log = structlog.get_logger("simdes.mail")


def run(node: Node, stop: threading.Event, *, name: str) -> None:
    """Send mails until ``stop`` is set; apart from other work, which no mail server may hold up."""
    idle = IDLE_SECONDS if node.mail.possible else WITHOUT_SECONDS
    while not stop.is_set():
        pause = idle
        try:
            pause = 0.0 if work(node, name=name, stop=stop) else idle
        except SimdesError as error:
            _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
            pause = 5.0
        except Exception as error:  # a fault of ours must not end this for good, unseen
            _log.error("round failed", issue="exception", **logs.described(error))
            pause = 5.0
        stop.wait(pause)


def work(node: Node, *, name: str, stop: threading.Event | None = None) -> int:
    """One round; how many mails were tried."""
    tidy(node)
    if not node.mail.possible:
        return 0
    news.look(node)
    gather(node)
    now = node.now_ms()
    with node.database.read() as tx:
        if not rows.is_due(tx, now_ms=now):
            return 0
    taken = node.database.write(
        lambda tx: rows.claim(tx, name, now_ms=now, until_ms=now + LEASE_MS, limit=AT_ONCE)
    )
    for one in taken:
        if stop is not None and stop.is_set():
            break
        _send(node, one, name)
    return len(taken)


def tidy(node: Node) -> None:
    """Drop what time has ended; mails too, where nobody sends them and gives them up."""
    now, letters = node.now_ms(), not node.mail.possible
    day = now // _DAY_MS
    with node.database.read() as tx:
        if not rows.is_over(tx, now_ms=now, day=day, letters=letters):
            return
    node.database.write(lambda tx: rows.purge(tx, now_ms=now, day=day, letters=letters))


# News -----------------------------------------------------------------------------------------


def gather(node: Node) -> int:
    """Make a mail for everybody who is to be told now; for how many."""
    now = node.now_ms()
    with node.database.read() as tx:
        if not rows.is_news_due(tx, now_ms=now):
            return 0

    def write(tx: Transaction) -> int:
        found = rows.due(tx, now_ms=now, limit=AT_ONCE)
        return sum(_gathered(node, tx, one, now) for one in found)

    return node.database.write(write)


def _gathered(node: Node, tx: Transaction, one: rows.Address, now: int) -> bool:
    kind = words.ALARM if one.alarm else words.NEWS
    most = ALARMS_A_DAY if one.alarm else one.most
    day = now // _DAY_MS
    if not rows.spend(tx, {sealing.subject(node, kind, one.account): most}, day=day):
        rows.put_off_news(tx, one.account, due_ms=(day + 1) * _DAY_MS)
        return False
    rows.told(tx, one.account)
    rows.add(
        tx,
        rows.Outgoing(
            id=node.random(16),
            account=one.account,
            kind=kind,
            address_wrapped=None,
            nonce=None,
            language=one.language,
            made_ms=now,
            next_ms=now,
            until_ms=now + NEWS_LASTS_MS,
        ),
    )
    return True


# Mails ----------------------------------------------------------------------------------------


def _send(node: Node, one: rows.Outgoing, name: str) -> None:
    with node.database.read() as tx:
        letter = letter_of(node, tx, one) if rows.is_held(tx, one, name) else None
    if letter is None or one.until_ms <= node.now_ms():
        if letter is not None:
            _log.warning("mail given up", about=one.kind, tries=one.tries - 1)
        node.database.write(lambda tx: rows.done(tx, one.id))
        return
    try:
        node.mail.send(letter)
    except Invalid as error:
        _log.warning("mail refused", about=one.kind, issue=error.issue)
    except SimdesError as error:
        _log.warning("mail waits", about=one.kind, issue=error.issue, tries=one.tries)
        pause = min(FIRST_PAUSE_MS << min(one.tries - 1, 10), LONGEST_PAUSE_MS)
        again = node.now_ms() + pause
        node.database.write(lambda tx: rows.put_off(tx, one.id, name, next_ms=again))
        return
    else:
        _log.info("mail sent", about=one.kind)
    node.database.write(lambda tx: rows.done(tx, one.id))


def letter_of(node: Node, tx: Transaction, one: rows.Outgoing) -> Letter | None:
    """A mail as it goes out; None where nobody is to get it any more."""
    keystore, place = node.desk.keystore, node.issuer.name
    row = rows.get(tx, one.account)
    if one.address_wrapped is not None:
        to, stop_url = sealing.open_passing(node, one.account, one.address_wrapped), ""
    elif row is None or row.stopped_ms is not None:
        return None
    else:
        try:
            to = sealing.open_(node, tx, row)
        except NotFound:
            return None
        stop_url = f"{place}/mail/stop?token={sealing.stop_token(keystore, row.stop)}"
    code = "" if one.nonce is None else sealing.code_of(keystore, one.account, one.nonce)
    code = f"{code[:4]} {code[4:]}".strip()
    return Letter(
        id=one.id.hex(),
        to=to,
        subject=words.subject(one.kind, one.language),
        text=words.written(one.kind, one.language, place=place, code=code, stop=stop_url),
        language=one.language,
        made_ms=one.made_ms,
        stop_url=stop_url,
    )
