"""The actions part of impact.com's Brand API as a local server, over a seeded world with a settable clock."""

from .faults import Faults, Kind
from .replies import Reply, Request
from .rules import Campaign, Rules
from .server import AUTH_TOKEN, Sandbox, serve
from .world import ACCOUNT_SID, World

__all__ = [
    "ACCOUNT_SID",
    "AUTH_TOKEN",
    "Campaign",
    "Faults",
    "Kind",
    "Reply",
    "Request",
    "Rules",
    "Sandbox",
    "World",
    "serve",
]
