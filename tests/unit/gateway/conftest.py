from unit.access.conftest import network, scene

__all__ = ["network", "scene"]
