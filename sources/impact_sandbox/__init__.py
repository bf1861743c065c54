"""The Actions side of the impact.com Brand API as a local server over a seeded world with a settable clock."""

from sources.impact_sandbox.faults import Faults, Kind
from sources.impact_sandbox.replies import Reply, Request
from sources.impact_sandbox.rules import Campaign, Rules
from sources.impact_sandbox.server import AUTH_TOKEN, Sandbox, serve
from sources.impact_sandbox.world import ACCOUNT_SID, World

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
