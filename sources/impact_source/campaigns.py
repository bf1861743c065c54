"""The account's campaigns: listed completely or not at all, and selected by id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from .api.client import Client
from .errors import InvalidAnswer, NotFound, ReadingError, UnknownCampaign
from .rows.columns import CAMPAIGN
from .rows.parse import Reader
from .warehouse import Warehouse


@dataclass(frozen=True)
class Campaigns:
    """The campaigns of an account: a typed table of those that the API shows, and the names of all by id."""

    table: pa.Table
    names: dict[str, str]
    unlisted: Mapping[str, ReadingError | None] = field(default_factory=dict)
    """Campaigns missing from the list although the warehouse holds them or the user named them, with the error of
    requesting each by id; None if that succeeded."""

    @property
    def lost(self) -> frozenset[str]:
        """Campaigns that the API says do not exist (any more)."""
        return frozenset(id_ for id_, error in self.unlisted.items() if isinstance(error, NotFound))

    def choose(self, asked: Sequence[str]) -> list[str]:
        """The requested ids, or all if none are given. Raises `UnknownCampaign`."""
        if unknown := [campaign_id for campaign_id in asked if campaign_id not in self.names]:
            known = ", ".join(f"{id_} ({name})" for id_, name in self.names.items()) or "none"
            msg = f"the account has no campaign {', '.join(unknown)}; it has {known}"
            raise UnknownCampaign(msg)
        return list(dict.fromkeys(asked)) or list(self.names)


def find_campaigns(
    client: Client, warehouse: Warehouse, asked: Sequence[str], listed: Campaigns | None = None
) -> Campaigns:
    """The account's campaigns, as listed (now, if not before) and as the warehouse holds them: a list may be short.

    Campaigns missing from the list are requested by id. Those in the warehouse are included whatever the answer is.
    """
    listed, held = listed or list_campaigns(client), warehouse.campaign_names()
    names, tables = dict(listed.names), [listed.table]
    unlisted: dict[str, ReadingError | None] = {}
    for campaign_id in sorted({*(asked or held)} - names.keys()):
        try:
            answer = client.campaign(campaign_id)
        except ReadingError as error:
            if campaign_id in held:
                unlisted[campaign_id], names[campaign_id] = error, held[campaign_id]
            continue
        table = Reader(CAMPAIGN).read(b"[" + answer.value + b"]", answer.read_at).table
        tables.append(table)
        unlisted[campaign_id] = None
        names[campaign_id] = next(iter(table["name"].to_pylist()), None) or held.get(campaign_id, "")
    return Campaigns(pa.concat_tables(tables, promote_options="default"), names, unlisted)


def explain(campaigns: Campaigns, refused: Collection[str]) -> Iterator[str]:
    """What to tell the user about campaigns missing from the list; the actions of those in `refused` were refused."""
    if not campaigns.names:
        yield (
            "the API lists no campaigns, so nothing was read. If the account has some, give the token access to them "
            "in impact.com's API settings"
        )
    for campaign_id, error in campaigns.unlisted.items():
        who = f"campaign {campaign_id} {campaigns.names[campaign_id]}".rstrip()
        if error is None:
            yield f"{who} is missing from the API's list of campaigns, but exists by id; its actions were read"
        elif campaign_id in refused:
            yield (
                f"{who} no longer exists in the API (not listed, 404 when requested by id, actions refused); "
                "its rows in the warehouse are kept"
            )
        else:
            yield f"{who} is missing from the API's list of campaigns ({error}); its actions were requested anyway"


def list_campaigns(client: Client) -> Campaigns:
    """The account's campaigns. Every command lists them first: this sets the clock.

    Raises `InvalidAnswer` if the list is not complete: none may be silently left out.
    """
    answers = list(client.campaigns())
    client.settle_clock()
    reader = Reader(CAMPAIGN)
    pages = [reader.read(answer.value.records, client.clock.now()) for answer in answers]
    table = pa.concat_tables([page.table for page in pages], promote_options="default")
    names = {id_: name or "" for id_, name in zip(*(table[c].to_pylist() for c in ("id", "name")), strict=True)}
    total = answers[-1].value.total
    if any(page.rejected for page in pages) or (total is not None and len(names) != total):
        msg = f"the list of campaigns is incomplete: the API reports {total}, {len(names)} could be read. Run again"
        raise InvalidAnswer(msg)
    return Campaigns(table, names)
