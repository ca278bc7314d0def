"""Which certificates this machine trusts, read once for all connections of the process.

Reading a system's authorities takes a tenth of a second, and every open organisation has half a
dozen clients. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others
(https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/).
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """What a client checks servers' certificates and names with; shared, never changed."""
    return ssl.create_default_context()
