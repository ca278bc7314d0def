"""The administrator's pages: organisations, people, quarantine, health, trails, upgrades."""
