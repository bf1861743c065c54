"""The account's campaigns: listed whole or not at all, and chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from sources.impact.client import Client
from sources.impact.columns import CAMPAIGN
from sources.impact.errors import InvalidAnswer, UnknownCampaign
from sources.impact.tables import Reader


@dataclass(frozen=True)
class Campaigns:
    """The campaigns of an account: a typed table of them, and their names by id."""

    table: pa.Table
    names: dict[str, str]

    def choose(self, asked: Sequence[str]) -> list[str]:
        """The ids asked for, all of them if none are. Raises `UnknownCampaign`."""
        if unknown := [campaign_id for campaign_id in asked if campaign_id not in self.names]:
            known = ", ".join(f"{id_} ({name})" for id_, name in self.names.items()) or "none"
            msg = f"the account has no campaign {', '.join(unknown)}; it has {known}"
            raise UnknownCampaign(msg)
        return list(dict.fromkeys(asked)) or list(self.names)


def list_campaigns(client: Client, reached: datetime | None = None) -> Campaigns:
    """The account's campaigns. Every command begins with them: it sets the clock, given what runs before `reached`.

    Raises `InvalidAnswer` if the list is not whole: none may be silently left out.
    """
    answers = list(client.campaigns())
    client.settle_clock(reached)
    reader = Reader(CAMPAIGN)
    pages = [reader.read(answer.value.records, client.clock.now()) for answer in answers]
    table = pa.concat_tables([page.table for page in pages], promote_options="default")
    names = {id_: name or "" for id_, name in zip(*(table[c].to_pylist() for c in ("id", "name")), strict=True)}
    total = answers[-1].value.total
    if any(page.rejected for page in pages) or (total is not None and len(names) != total):
        msg = f"the list of campaigns is not whole: it says {total} and holds {len(names)} that can be read; run again"
        raise InvalidAnswer(msg)
    return Campaigns(table, names)
