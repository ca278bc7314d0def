"""A network of real organisations, as the authorization server's tests have it."""

from unit.gateway.smart.conftest import founded, network

__all__ = ["founded", "network"]
