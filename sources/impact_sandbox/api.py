"""The endpoints: turn a path and its parameters into an answer, over a world at its current instant."""

from collections.abc import Sequence
from urllib.parse import quote, unquote

from .answers import Answer, Asked, Buffer, Listing, Refusal, page_of
from .ledger import shown_at
from .long_lists import ACTIONS, UPDATES, LongList
from .query import (
    PAGING,
    ActionQuery,
    ShortListQuery,
    read_action_query,
    read_page,
    read_short_list_query,
    refuse_unknown,
)
from .records import Record, strings_json, typed_json
from .reference import Nested
from .reference_lists import CAMPAIGN_STATES, CAMPAIGNS, LISTS, NOT_PLAYED
from .render import new_fields
from .rules import Campaign, Rules
from .update_json import numbered
from .world import World
from .writes import read_write

WRITING = ("PUT", "DELETE")
MOST_PAGES = 10
"""A query that matches more than this many pages hold is refused."""


def read(world: World, asked: Asked) -> Answer:  # noqa: PLR0911 - one per endpoint
    """Answer a GET request to the world's account. Call it under the world's lock."""
    match asked.path.removesuffix(".json").split("/")[3:]:
        case ["Campaigns", *campaign] if len(campaign) <= 1:
            return _campaign(world, unquote(campaign[0])) if campaign else _campaigns(world, asked)
        case ["Actions"]:
            return _long_list(world, asked, ACTIONS)
        case ["Actions", action_id]:
            return _action(world, unquote(action_id))
        case ["Actions", action_id, "Items"]:
            return _items(world, asked, unquote(action_id))
        case ["Actions", action_id, "Items", sku]:
            return _item(world, unquote(action_id), unquote(sku))
        case ["ActionUpdates"]:
            return _long_list(world, asked, UPDATES)
        case ["ActionUpdates", update_id]:
            return _update(world, unquote(update_id))
        case ["APISubmissions", *batch] if len(batch) <= 1:
            return _submission(world, unquote(batch[0])) if batch else _submissions(world, asked)
        case parts:
            return _read_reference(world, asked, parts)


def _read_reference(world: World, asked: Asked, parts: Sequence[str]) -> Answer:
    """Answer a request for what surrounds the actions."""
    if status := dict(world.rules.withheld).get(scope_of("GET", asked.path)):
        raise Refusal(status, "The token gives no access to this resource")
    match parts:
        case ["CompanyInformation"]:
            refuse_unknown(asked.parameters, PAGING)
            return Answer(200, [_json(world, _reference(world, "CompanyInformation")[0])])
        case ["Campaigns", campaign_id, "MediaPartnerGroups" | "Contracts" as resource, *one]:
            return _surrounding(world, asked, resource, one, unquote(campaign_id))
        case ["MediaPartners" | "ActionInquiries" | "Invoices" as resource, *one]:
            return _surrounding(world, asked, resource, one)
        case [resource] | ["Campaigns", _, resource] | ["Campaigns", _, "Models", _, resource] if (
            resource in NOT_PLAYED
        ):
            return _short_list(world, resource, [], read_page(asked.parameters), asked)
        case _:
            raise Refusal(404, "The resource does not exist")


def write(world: World, asked: Asked, method: str, body: str, content_type: str) -> Answer:
    """Answer a request that is not a GET: queue a change of an action. Call it under the world's lock."""
    if method not in WRITING or asked.path.removesuffix(".json").split("/")[3:] != ["Actions"]:
        raise Refusal(405, "The method is not allowed")
    refuse_unknown(asked.parameters, frozenset())
    submission = world.submit(read_write(method, body, content_type, world.rules))
    queued = {"Status": "QUEUED", "QueuedUri": f"{submission.uri(world.account_sid)}{world.rules.queued_uri}"}
    return Answer(200, [strings_json(queued).encode()])


def scope_of(method: str, path: str) -> str:
    """Return the scope that a token needs: the resource that the path ends in, marked if it is written."""
    if method in WRITING:
        return f"{scope_of('GET', path)}:write"
    match path.removesuffix(".json").split("/")[3:]:
        case ["Actions", _, "Items", *_]:
            return "Items"
        case ["Campaigns", _, resource, *_]:
            return resource
        case [first, *_]:
            return first
        case _:
            return ""


def _campaigns(world: World, asked: Asked) -> Answer:
    if (state := asked.parameters.get("State")) not in {None, *CAMPAIGN_STATES}:
        raise Refusal(400, f"State must be one of {', '.join(CAMPAIGN_STATES)}, not {state}", "State")
    listed: list[Nested] = [
        _campaign_record(world, one) for one in world.campaigns if one.id not in world.rules.unlisted
    ]
    records = CAMPAIGNS.select(listed, asked.parameters, world.rules)
    return _short_list(world, CAMPAIGNS.key, records, read_page(asked.parameters), asked)


def _campaign(world: World, campaign_id: str) -> Answer:
    if world.rules.campaign_alone == "forbidden":
        raise Refusal(403, "The token gives no access to this resource")
    found = [_campaign_record(world, one) for one in world.campaigns if one.id == campaign_id]
    if not found or world.rules.campaign_alone == "unknown":
        raise Refusal(404, "The campaign does not exist")
    return Answer(200, [_json(world, found[0])])


def _campaign_record(world: World, campaign: Campaign) -> Record:
    return {
        "Id": campaign.id,
        "Name": campaign.name,
        "State": campaign.state,
        "Uri": f"/Advertisers/{world.account_sid}/Campaigns/{quote(campaign.id, safe='')}",
    }


def _long_list(world: World, asked: Asked, kind: LongList) -> Answer:
    rules, now, ledger = world.rules, world.now, world.ledger
    query = read_action_query(asked.parameters, now, rules)
    serial = ledger.serial(query.campaign_id)
    if serial is None:
        raise Refusal(400, "The campaign does not exist in this account", "CampaignId")
    if words := dict(rules.refused).get(query.campaign_id):
        raise Refusal(400, words)
    condition = f"v.serial = {serial} AND {_listed(world, kind)} AND {query.condition(kind.state(rules, now), rules)}"
    total = ledger.count(f"SELECT count(*) FROM {kind.table} v WHERE {condition}")
    if rules.slow and rules.slow[0] in {name for name, *_ in query.ranges} and total > rules.slow[1]:
        raise Refusal(504, "The request took too long")
    if total > MOST_PAGES * query.page_size:
        raise _too_many(asked, total, rules)
    count = max(0, min(query.page_size, total - (query.page - 1) * query.page_size))
    picked = _pick(world, kind, query, condition)
    records = _page(world, kind, picked) if count else []
    if rules.listed_twice:
        count = ledger.count(f"SELECT count(*) FROM {picked}")
    if rules.total_too_high:
        odd = f"{condition} AND {_among(world, *rules.total_too_high)}"
        total += min(1, ledger.count(f"SELECT count(*) FROM {kind.table} v WHERE {odd}"))
    listing = Listing(kind.key, records, count, total)
    return page_of(listing, query, asked, single_as_object=rules.single_as_object)


def _too_many(asked: Asked, total: int, rules: Rules) -> Refusal:
    """Return the refusal of more matches than can be paged through, in the form that the rules name."""
    many = f"{total} records" if rules.refusal_names_total else "too many records"
    fields = {"page_size": ["PageSize"], "dates": [name for name in asked.parameters if "Date" in name]}
    status = 200 if rules.refusal == "ok" else 400
    message = f"The request matches {many}: reduce the date range or increase PageSize"
    return Refusal(status, message, *fields.get(rules.refusal, []))


def _listed(world: World, kind: LongList) -> str:
    """Return the SQL condition for the rows `v` of a list that this server knows at present."""
    condition, lagging = kind.shown(world.rules, world.now), _lagging(world)
    return f"{condition} AND NOT ({lagging})" if lagging else condition


def _pick(world: World, kind: LongList, query: ActionQuery, condition: str) -> str:
    """Select the page's rows in SQL before their records are rendered: rendering is the expensive part."""
    size, offset, order = query.page_size, (query.page - 1) * query.page_size, kind.ordered(world.rules)
    page = f"SELECT * FROM {kind.table} v WHERE {condition} ORDER BY {order} LIMIT {size} OFFSET {offset}"
    if not world.rules.listed_twice:
        return f"({page})"
    return f"(WITH page AS ({page}) FROM page UNION ALL FROM page v WHERE {_among(world, *world.rules.listed_twice)})"


def _page(world: World, kind: LongList, picked: str) -> Sequence[Buffer]:
    record, order = kind.json(world.rules, world.now), kind.ordered(world.rules)
    pieces = world.ledger.text(f"SELECT concat({record}, ',') {kind.tables(picked)} ORDER BY {order}")
    return [*pieces[:-1], pieces[-1][:-1]]


def _among(world: World, *ids: str) -> str:
    """Return the SQL condition that a version `v` belongs to one of these actions."""
    numbers = [n for id_ in ids if (n := world.ledger.number(id_)) is not None]
    return f"v.n IN ({', '.join(map(str, numbers)) or 'NULL'})"


def _action(world: World, action_id: str) -> Answer:
    _refuse_odd(world, action_id)
    n = world.ledger.number(action_id)
    record = None if n is None else world.ledger.shown_action(n, world.rules, world.now)
    if record is None:
        raise Refusal(404, "The action does not exist")
    return Answer(200, [record.encode()])


def _update(world: World, update_id: str) -> Answer:
    action_id, _, number = update_id.rpartition(".")
    n = world.ledger.number(action_id)
    if n is not None and number.isdecimal():
        condition = f"v.n = {n} AND {numbered(int(number))} AND {_listed(world, UPDATES)}"
        picked = UPDATES.tables(f"(SELECT * FROM updates v WHERE {condition})")
        if pieces := world.ledger.text(f"SELECT {UPDATES.json(world.rules, world.now)} {picked}"):
            return Answer(200, pieces)
    raise Refusal(404, "The action update does not exist")


def _items(world: World, asked: Asked, action_id: str) -> Answer:
    query = read_short_list_query(asked.parameters)
    return _short_list(world, world.rules.items_key, _items_of(world, action_id), query, asked)


def _item(world: World, action_id: str, sku: str) -> Answer:
    record = next((item for item in _items_of(world, action_id) if item["Sku"] == sku), None)
    if record is None:
        raise Refusal(404, "The item does not exist")
    return Answer(200, [_json(world, record)])


def _lagging(world: World) -> str:
    """Return the SQL condition that version `v` belongs to an action that a lagging replica lacks; empty if none."""
    rules, terms = world.rules, []
    if rules.lagging:
        terms.append(_among(world, *rules.lagging))
    if rules.lagging_share:
        terms.append(f"hash(v.n, 'lag') % 1000 < {int(rules.lagging_share * 1000)}")
    return " OR ".join(terms)


def _refuse_odd(world: World, action_id: str) -> None:
    if action_id in world.rules.broken:
        raise Refusal(500, "Something went wrong")
    lagging = _lagging(world)
    here = f"SELECT count(*) FROM versions v WHERE {_among(world, action_id)} AND ({lagging})"
    if lagging and world.ledger.count(here):
        raise Refusal(404, "The action does not exist")


def _items_of(world: World, action_id: str) -> list[Record]:
    _refuse_odd(world, action_id)
    n, now = world.ledger.number(action_id), world.now
    if n is None or not world.ledger.count(f"SELECT count(*) FROM versions v WHERE v.n = {n} AND {shown_at('v', now)}"):
        raise Refusal(404, "The action does not exist")
    return [{**item, **new_fields(world.rules, now)} for item in world.ledger.shown_items(n, now)]


def _submissions(world: World, asked: Asked) -> Answer:
    query = read_short_list_query(asked.parameters)
    records = [
        submission.record(world.account_sid, world.now, world.rules) for submission in reversed(world.submissions)
    ]
    return _short_list(world, world.rules.submissions_key, records, query, asked)


def _submission(world: World, batch_id: str) -> Answer:
    submission = world.poll(batch_id)
    if submission is None:
        raise Refusal(404, "The submission does not exist")
    return Answer(200, [_json(world, submission.record(world.account_sid, world.now, world.rules))])


def _surrounding(
    world: World, asked: Asked, resource: str, one: Sequence[str], campaign_id: str | None = None
) -> Answer:
    """Return a list of what surrounds the actions, of one campaign if it is given, or the record with one id."""
    if campaign_id is not None and world.ledger.serial(campaign_id) is None:
        raise Refusal(404, "The campaign does not exist")
    within = "" if campaign_id is None else f"/Campaigns/{campaign_id}/"
    records = [record for record in _reference(world, resource) if within in record["Uri"]]
    if one:
        found = [record for record in records if len(one) == 1 and record["Id"] == unquote(one[0])]
        if not found:
            raise Refusal(404, "The object does not exist")
        return Answer(200, [_json(world, found[0])])
    kind = LISTS[resource]
    key = world.rules.partners_key if resource == "MediaPartners" else kind.key
    chosen = kind.select(records, asked.parameters, world.rules)
    return _short_list(world, key, chosen, read_page(asked.parameters), asked)


def _reference(world: World, resource: str) -> list[Nested]:
    extra = new_fields(world.rules, world.now)
    return [{**record, **extra} for record in world.reference(resource)]


def _short_list(world: World, key: str, records: Sequence[Nested], query: ShortListQuery, asked: Asked) -> Answer:
    start = (query.page - 1) * query.page_size
    page = records[start : start + query.page_size]
    listing = Listing(key, [b",".join(_json(world, record) for record in page)], len(page), len(records))
    return page_of(listing, query, asked, single_as_object=world.rules.single_as_object)


def _json(world: World, record: Nested) -> bytes:
    return (typed_json if world.rules.wire == "typed" else strings_json)(record).encode()
