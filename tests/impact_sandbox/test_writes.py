"""Updates and reversals: what is refused at once, and their effect on an action."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from impact_sandbox import Reply, World
from impact_sandbox.writes import DISPOSITION_CODES, REASONS

from tests.impact_sandbox.conftest import Ask, Client, Row

UPDATE = {"Reason": "ORDER_UPDATE"}
TWO_ITEMS = (
    {"Sku": "A/B 1", "SaleAmount": "20.00", "Payout": "2.00", "Quantity": "2"},
    {"Sku": "TEE", "SaleAmount": "10.00", "Payout": "0.50"},
)


def two_items(client: Client) -> str:
    """An action of 30.00 with two items."""
    return client.world.create(items=TWO_ITEMS)


def lines(client: Client, action_id: str) -> list[tuple[str, str, str, str]]:
    """Sku, quantity, amount and payout of each item."""
    return [(item["Sku"], item["Quantity"], item["SaleAmount"], item["Payout"]) for item in client.items(action_id)]


def money(row: Row) -> tuple[str, str, str, str]:
    """Amount and payout with their deltas."""
    return row["Amount"], row["DeltaAmount"], row["Payout"], row["DeltaPayout"]


def ruled(client: Client, **rules: Any) -> None:  # noqa: ANN401 - any rule
    """Set some rules of a world."""
    client.world.rules = replace(client.world.rules, **rules)


@pytest.fixture
def fresh(ask: Ask) -> Client:
    """Return a client for a world whose rules and clock a test may set."""
    return ask(World(days=1, per_day=0))


ITEM = {"ActionId": "x", **UPDATE, "Sku": "A", "Quantity": "1"}


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({**UPDATE}, "ActionId"),
        ({**UPDATE, "ActionId": ""}, "ActionId"),
        ({**UPDATE, "ActionTrackerId": "2240"}, "OrderId"),
        ({**UPDATE, "OrderId": "9"}, "ActionTrackerId"),
        ({"ActionId": "x"}, "Reason"),
        ({"ActionId": "x", "Reason": ""}, "Reason"),
        ({"ActionId": "x", "DispositionCode": "ORDER_UPDATE"}, "Reason"),
        ({"ActionId": "x", **UPDATE, "Payout": "1"}, "Payout"),
        ({"ActionId": "x", **UPDATE, "Quantity": "1"}, "Sku"),
        ({"ActionId": "x", **UPDATE, "Category": "Shoes"}, "Sku"),
        ({"ActionId": "x", **UPDATE, "ItemSubTotalDelta": "-5"}, "Sku"),
        ({"ActionId": "x", **UPDATE, "Sku": "", "Quantity": "1"}, "Sku"),
        ({**ITEM, "Sku1": "B"}, "Sku1"),
        ({**ITEM, "Sku3": "B"}, "Sku2"),
        ({**ITEM, "Quantity2": "1"}, "Sku2"),
        ({**ITEM, "Sku2": "A"}, "Sku2"),
        ({**ITEM, "Amount": "1", "ItemSubTotalDelta": "-5"}, "ItemSubTotalDelta"),
        ({**ITEM, "Sku2": "B", "Amount2": "1", "ItemSubTotalDelta2": "-5"}, "ItemSubTotalDelta2"),
        ({"ActionId": "x", "Reason": "RESET", "Amount": "5"}, "Amount"),
    ],
)
def test_update_is_refused(desk: Client, form: dict[str, str], field: str) -> None:
    """An update that is invalid for any action is refused with the field at fault, and nothing is queued."""
    queued = len(desk.world.submissions)
    response = desk.put(**form)
    assert response.status_code == 400
    assert response.json()["Status"] == "ERROR"
    assert [error["Field"] for error in response.json()["Errors"]] == [field]
    assert len(desk.world.submissions) == queued


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"DispositionCode": "OTHER"}, "ActionId"),
        ({"DispositionCode": "OTHER", "OrderId": "9"}, "ActionTrackerId"),
        ({"ActionId": "x"}, "DispositionCode"),
        ({"ActionId": "x", "DispositionCode": ""}, "DispositionCode"),
        ({"ActionId": "x", "DispositionCode": "OTHER", "Reason": "OTHER"}, "Reason"),
        ({"ActionId": "x", "DispositionCode": "OTHER", "Amount": "0"}, "Amount"),
    ],
)
def test_reversal_is_refused(desk: Client, form: dict[str, str], field: str) -> None:
    """The same holds for a reversal, which needs a disposition code and takes no values."""
    response = desk.delete(**form)
    assert response.status_code == 400
    assert [error["Field"] for error in response.json()["Errors"]] == [field]


def test_content_type(desk: Client) -> None:
    """A body that is not form-encoded is refused, an empty one for what is missing."""
    url = f"{desk.base}/Actions"
    refused = desk.http.put(url, json={"ActionId": "x", **UPDATE})
    assert (refused.status_code, refused.json()["Errors"][0]["Field"]) == (415, "Content-Type")
    assert desk.http.put(url, content=b"ActionId=x").status_code == 415
    form = {"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=UTF-8"}
    assert desk.http.put(url, content=b"ActionId=x&Reason=OTHER", headers=form).status_code == 200
    assert [desk.http.request(method, url).status_code for method in ("PUT", "DELETE")] == [400, 400]


def test_parameters_belong_in_the_body_once(desk: Client) -> None:
    """Parameters in the URL, or twice in the body, are refused by name."""
    url = f"{desk.base}/Actions"
    response = desk.http.request("DELETE", url, params={"ActionId": "x"}, data={"DispositionCode": "OTHER"})
    assert response.json()["Errors"][0]["Field"] == "ActionId"
    response = desk.http.put(url, data={"ActionId": ["x", "y"], **UPDATE})
    assert response.json()["Errors"][0]["Field"] == "ActionId"


def test_scope(ask: Ask) -> None:
    """A token that may only read is refused with a 403, and writing alone is a scope of its own."""
    reader = ask(World(days=1, per_day=0), scopes={"Actions", "Items", "APISubmissions"})
    action_id = reader.world.create()
    assert reader.put(ActionId=action_id, **UPDATE).status_code == 403
    assert reader.delete(ActionId=action_id, DispositionCode="OTHER").status_code == 403
    assert reader.world.submissions == []
    writer = ask(World(days=1, per_day=0), scopes={"Actions:write"})
    assert writer.put(ActionId=action_id, **UPDATE).status_code == 200
    assert writer.get(f"/Actions/{action_id}").status_code == 403


def test_budget(ask: Ask) -> None:
    """Writes spend the budget like reads; beyond it they are refused and not queued."""
    client = ask(World(days=1, per_day=0), requests_per_hour=2)
    action_id = client.world.create()
    assert client.put(ActionId=action_id, **UPDATE).headers["X-RateLimit-Remaining"] == "1"
    assert client.delete(ActionId=action_id, DispositionCode="OTHER").headers["X-RateLimit-Remaining"] == "0"
    assert client.put(ActionId=action_id, **UPDATE).status_code == 429
    assert len(client.world.submissions) == 2


def test_xml(desk: Client) -> None:
    """A client that does not accept JSON gets the queue's answer in XML."""
    form = {"ActionId": "x", **UPDATE}
    response = desk.http.put(f"{desk.base}/Actions", data=form, headers={"Accept": "*/*"})
    assert "<Status>QUEUED</Status><QueuedUri>/Advertisers/" in response.text


def test_seen(fresh: Client) -> None:
    """The sandbox remembers the form of every write that arrived, refused or not."""
    fresh.put(ActionId="a b", **UPDATE)
    fresh.delete(ActionId="ü")
    fresh.get("/Campaigns")
    seen = [(request.method, request.status, request.form) for request in fresh.sandbox.writes]
    assert seen == [("PUT", 200, {"ActionId": "a b", **UPDATE}), ("DELETE", 400, {"ActionId": "ü"})]
    control = fresh.http.get("/sandbox/requests").json()
    assert [request["form"] for request in control] == [{"ActionId": "a b", **UPDATE}, {"ActionId": "ü"}, {}]


@pytest.mark.parametrize("reply", [Reply(cut_after=0, after=True), Reply(502, b"bad gateway", after=True)])
def test_lost_answer(fresh: Client, reply: Reply) -> None:
    """A write may take effect although its answer breaks off or is an error; it is counted anyway."""
    action_id = two_items(fresh)
    fresh.sandbox.on_request = lambda request: reply if request.method == "PUT" else None
    form = {"ActionId": action_id, **UPDATE, "Sku": "TEE", "ItemSubTotalDelta": "-4"}
    if reply.cut_after is None:
        assert fresh.put(**form).status_code == 502
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            fresh.put(**form)
    fresh.world.advance(seconds=10)
    assert fresh.action(action_id)["Amount"] == "26.00"
    assert len(fresh.sandbox.writes) == len(fresh.world.submissions) == 1


def test_lost_request(fresh: Client) -> None:
    """A reply in the API's place leaves the action alone, though the call was counted."""
    action_id = two_items(fresh)
    fresh.sandbox.on_request = lambda request: Reply(503) if request.method == "PUT" else None
    assert fresh.put(ActionId=action_id, Amount="1", **UPDATE).status_code == 503
    fresh.world.advance(seconds=10)
    assert fresh.action(action_id)["Amount"] == "30.00"
    assert (len(fresh.sandbox.writes), fresh.world.submissions) == (1, [])


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(desk: Client, reason: str) -> None:
    """Every documented reason is accepted, and shown on the items that changed."""
    action_id = desk.world.create()
    assert not desk.errors(desk.put(ActionId=action_id, Reason=reason, Amount="5"))
    assert desk.items(action_id)[0]["AdjustmentReason"] == reason


@pytest.mark.parametrize("code", DISPOSITION_CODES)
def test_disposition_codes(desk: Client, code: str) -> None:
    """Every documented disposition code reverses, and is shown on the items."""
    action_id = desk.world.create()
    assert not desk.errors(desk.delete(ActionId=action_id, DispositionCode=code))
    assert desk.action(action_id)["State"] == "REVERSED"
    assert desk.items(action_id)[0]["AdjustmentReason"] == code


def test_custom_codes(fresh: Client) -> None:
    """Codes that the account has configured are accepted in addition to the documented ones, in any place."""
    ruled(fresh, custom_codes=("LOST_PARCEL",))
    action_id = fresh.world.create()
    update = fresh.put(ActionId=action_id, Reason="LOST_PARCEL", DispositionCode="LOST_PARCEL", Amount="5")
    assert not fresh.errors(update)
    assert not fresh.errors(fresh.delete(ActionId=action_id, DispositionCode="LOST_PARCEL"))


def test_identifiers(desk: Client) -> None:
    """An action is found by its Id or by event type and order; every identifier sent must match it."""
    action_id = desk.world.create(Oid="order/1", ActionTrackerId="2241")
    other = desk.world.create(Oid="order/1")
    pair = {"ActionTrackerId": "2241", "OrderId": "order/1"}
    assert not desk.errors(desk.put(**pair, **UPDATE, Amount="7"))
    assert not desk.errors(desk.put(ActionId=action_id, **pair, **UPDATE, CustomerStatus="EXISTING"))
    assert desk.action(action_id)["Amount"] == "7.00"
    assert desk.errors(desk.put(ActionId=other, **pair, **UPDATE, Amount="8")) == "ACTION_REF_NOT_FOUND"
    assert not desk.errors(desk.delete(**pair, DispositionCode="OTHER"))
    assert [desk.action(key)["State"] for key in (action_id, other)] == ["REVERSED", "PENDING"]


def test_an_order_with_several_actions_means_the_newest(fresh: Client) -> None:
    """A write by order hits the action of its event type that was created last, or none if the rules say so."""
    pair = {"ActionTrackerId": "2240", "OrderId": "twice"}
    old = fresh.world.create(Oid="twice")
    new = fresh.world.create(Oid="twice", Id="1000.4636.7")
    fresh.world.create(Oid="twice", ActionTrackerId="2241")
    fresh.world.advance(hours=1)
    late = fresh.world.create(Oid="twice", Id="1000.4636.1", CreationDate="2026-01-01T00:00:00-08:00")
    assert not fresh.errors(fresh.put(**pair, **UPDATE, Amount="7"))
    amounts = {action_id: fresh.action(action_id)["Amount"] for action_id in (old, new, late)}
    assert amounts == {old: "21.99", new: "7.00", late: "21.99"}
    ruled(fresh, shared_order="refused")
    assert fresh.errors(fresh.delete(**pair, DispositionCode="OTHER")) == "SANDBOX_ACTION_REF_NOT_UNIQUE"


def test_identifiers_of_generated_actions(ask: Ask) -> None:
    """Generated actions are found by event type and order as well."""
    client = ask()
    row = client.locking(State="PENDING")[0]
    pair = {"ActionTrackerId": row["ActionTrackerId"], "OrderId": row["Oid"]}
    assert not client.errors(client.delete(**pair, DispositionCode="OTHER"))
    assert client.action(row["Id"])["State"] == "REVERSED"


def test_amount(desk: Client) -> None:
    """Amount is the order's new total; payout, cost, deltas, items and the last-updated date follow."""
    action_id = two_items(desk)
    desk.world.advance(hours=1)
    assert not desk.errors(desk.put(ActionId=action_id, Amount="15", **UPDATE))
    row = desk.action(action_id)
    assert money(row) == ("15.00", "-15.00", "1.25", "-1.25")
    assert (row["IntendedAmount"], row["ClientCost"], row["State"]) == ("30.00", "1.2500", "PENDING")
    assert lines(desk, action_id) == [("A/B 1", "2", "10.00", "1.00"), ("TEE", "1", "5.00", "0.25")]
    assert desk.updated(action_id)
    assert not desk.errors(desk.put(ActionId=action_id, Amount="18.005", **UPDATE))
    assert money(desk.action(action_id))[:2] == ("18.01", "3.01")


def test_amount_of_zero_reverses(desk: Client) -> None:
    """An Amount of 0 reverses an action that had one, and leaves one without an amount as it is."""
    action_id, free = two_items(desk), desk.world.create(Amount="0.00", Payout="1.00")
    for key in (action_id, free):
        assert not desk.errors(desk.put(ActionId=key, Amount="0.00", CustomerStatus="EXISTING", **UPDATE))
    row = desk.action(action_id)
    assert (row["State"], *money(row)) == ("REVERSED", "0.00", "-30.00", "0.00", "-2.50")
    assert row["CustomerStatus"] == "EXISTING"
    row = desk.action(free)
    assert (row["State"], *money(row)) == ("PENDING", "0.00", "0.00", "1.00", "0.00")


def test_customer_status(desk: Client) -> None:
    """CustomerStatus is set; no amount changed, so the deltas are 0 and the items stay as they were."""
    action_id = two_items(desk)
    items = desk.items(action_id)
    assert not desk.errors(desk.put(ActionId=action_id, CustomerStatus="EXISTING", **UPDATE))
    row = desk.action(action_id)
    assert (row["CustomerStatus"], *money(row)) == ("EXISTING", "30.00", "0.00", "2.50", "0.00")
    assert desk.items(action_id) == items


def test_items(desk: Client) -> None:
    """Several items are changed at once, each by its number; the action's amounts change with them."""
    action_id = two_items(desk)
    first = {"Sku": "A/B 1", "Amount": "16", "Category": "Grips & more"}
    second = {"Sku2": "TEE", "Quantity2": "3", "ItemSubTotalDelta2": "-2.50"}
    assert not desk.errors(desk.put(ActionId=action_id, **UPDATE, **first, **second))
    assert lines(desk, action_id) == [("A/B 1", "2", "16.00", "1.60"), ("TEE", "3", "7.50", "0.38")]
    assert desk.items(action_id)[0]["Category"] == "Grips & more"
    assert money(desk.action(action_id)) == ("23.50", "-6.50", "1.98", "-0.52")


def test_untouched_items_keep_their_dates(desk: Client) -> None:
    """Only an item that changed is marked as adjusted."""
    action_id = two_items(desk)
    desk.errors(desk.put(ActionId=action_id, **UPDATE, Sku="TEE", Category="Shirts", Sku2="A/B 1", Quantity2="2"))
    assert [item["AdjustmentReason"] for item in desk.items(action_id)] == ["", "ORDER_UPDATE"]


def test_same_delta_twice(desk: Client) -> None:
    """There is no idempotency: the same relative delta sent twice takes the money twice."""
    action_id = two_items(desk)
    form = {"ActionId": action_id, **UPDATE, "Sku": "TEE", "ItemSubTotalDelta": "-3"}
    queued = [desk.put(**form) for _ in range(2)]
    assert [desk.errors(each) for each in queued] == ["", ""]
    assert lines(desk, action_id)[1] == ("TEE", "1", "4.00", "0.20")
    assert desk.action(action_id)["DeltaAmount"] == "-3.00"


def test_longest_category(desk: Client) -> None:
    """A category has at most 255 characters."""
    action_id = two_items(desk)
    assert not desk.errors(desk.put(ActionId=action_id, **UPDATE, Sku="TEE", Category="é" * 255))
    assert desk.errors(desk.put(ActionId=action_id, **UPDATE, Sku="TEE", Category="é" * 256)) == "MALFORMED"


@pytest.mark.parametrize(("scales", "told"), [(True, "10.00"), (False, "20.00")])
def test_quantity(fresh: Client, *, scales: bool, told: str) -> None:
    """Whether a new quantity alone moves the item's amount is a rule."""
    ruled(fresh, quantity_scales_amount=scales)
    action_id = two_items(fresh)
    assert not fresh.errors(fresh.put(ActionId=action_id, **UPDATE, Sku="A/B 1", Quantity="1"))
    assert lines(fresh, action_id)[0][1:3] == ("1", told)


@pytest.mark.parametrize(("reading", "told"), [("removes", []), ("zeroes", [("TEE", "0", "0.00", "0.00")])])
def test_zero_quantity(fresh: Client, reading: str, told: list[tuple[str, ...]]) -> None:
    """An item whose quantity becomes 0 is no longer listed, or listed with 0, as ruled; the last one reverses."""
    ruled(fresh, zero_quantity=reading)
    action_id = two_items(fresh)
    assert not fresh.errors(fresh.put(ActionId=action_id, **UPDATE, Sku="TEE", Quantity="0"))
    assert lines(fresh, action_id)[1:] == told
    assert money(fresh.action(action_id)) == ("20.00", "-10.00", "2.00", "-0.50")
    assert not fresh.errors(fresh.put(ActionId=action_id, **UPDATE, Sku="A/B 1", Quantity="0"))
    assert (fresh.action(action_id)["State"], fresh.action(action_id)["Amount"]) == ("REVERSED", "0.00")
    assert fresh.items(action_id)


def test_amount_beside_sku(fresh: Client) -> None:
    """Amount beside Sku is the item's by default; under the other reading it is still the order's."""
    form = {"Sku": "TEE", "Category": "Shirts", "Amount": "6", **UPDATE}
    action_id = two_items(fresh)
    assert not fresh.errors(fresh.put(ActionId=action_id, **form))
    assert (fresh.action(action_id)["Amount"], lines(fresh, action_id)[1][2]) == ("26.00", "6.00")
    ruled(fresh, amount_beside_sku="order")
    action_id = two_items(fresh)
    assert not fresh.errors(fresh.put(ActionId=action_id, **form))
    assert (fresh.action(action_id)["Amount"], lines(fresh, action_id)[1][2]) == ("6.00", "2.00")
    assert fresh.items(action_id)[1]["Category"] == "Shirts"


def test_first_of_a_sku(desk: Client) -> None:
    """If an action lists a Sku twice, the first item is changed."""
    action_id = desk.world.create(items=[{"Sku": "A", "SaleAmount": "5.00"}, {"Sku": "A", "SaleAmount": "6.00"}])
    assert not desk.errors(desk.put(ActionId=action_id, **UPDATE, Sku="A", Amount="1"))
    assert [line[2] for line in lines(desk, action_id)] == ["1.00", "6.00"]


def test_reset(desk: Client) -> None:
    """RESET undoes all earlier changes, of items and of a reversal alike."""
    action_id = two_items(desk)
    before, items = desk.action(action_id), lines(desk, action_id)
    for form in ({"CustomerStatus": "EXISTING", "Amount": "9"}, {"Sku": "TEE", "Quantity": "0"}, {"Amount": "0"}):
        assert not desk.errors(desk.put(ActionId=action_id, **UPDATE, **form))
    assert desk.action(action_id)["State"] == "REVERSED"
    assert not desk.errors(desk.put(ActionId=action_id, Reason="RESET"))
    assert desk.action(action_id) == {**before, "DeltaAmount": "30.00", "DeltaPayout": "2.50"}
    assert lines(desk, action_id) == items
    assert {item["AdjustmentReason"] for item in desk.items(action_id)} == {"RESET"}


def test_reset_what_the_world_changed(ask: Ask) -> None:
    """RESET restores what an action modified by the world was recorded with."""
    client = ask(World(days=40, per_day=12))
    changed = [row for row in client.locking(State="PENDING") if row["Amount"] != row["IntendedAmount"]]
    action_id = changed[0]["Id"]
    assert not client.errors(client.put(ActionId=action_id, Reason="RESET"))
    row = client.action(action_id)
    assert (row["Amount"], row["Payout"]) == (row["IntendedAmount"], row["IntendedPayout"])
    assert sum(Decimal(line[2]) for line in lines(client, action_id)) == Decimal(row["Amount"])


@pytest.mark.parametrize(("reading", "code"), [("nothing", ""), ("refused", "SANDBOX_ACTION_REVERSED")])
def test_second_reversal(fresh: Client, reading: str, code: str) -> None:
    """Reversing a reversed action does nothing, or is an error; either way nothing changes."""
    ruled(fresh, second_reversal=reading)
    action_id = two_items(fresh)
    assert not fresh.errors(fresh.delete(ActionId=action_id, DispositionCode="OTHER"))
    before = fresh.action(action_id)
    fresh.world.advance(hours=1)
    assert fresh.errors(fresh.delete(ActionId=action_id, DispositionCode="OTHER")) == code
    assert fresh.action(action_id) == before
    assert not fresh.updated(action_id)


def test_update_of_a_reversed_action(fresh: Client) -> None:
    """A reversed action takes no updates, unless a rule says that an amount restores it at its intended rate."""
    action_id = two_items(fresh)
    fresh.complete(fresh.delete(ActionId=action_id, DispositionCode="OTHER"))
    assert fresh.errors(fresh.put(ActionId=action_id, **UPDATE, Amount="12")) == "SANDBOX_ACTION_REVERSED"
    ruled(fresh, reversed_takes_updates=True)
    assert not fresh.errors(fresh.put(ActionId=action_id, **UPDATE, Amount="12"))
    row = fresh.action(action_id)
    assert (row["State"], *money(row)) == ("PENDING", "12.00", "12.00", "1.00", "1.00")


@pytest.mark.parametrize("touches", [True, False])
def test_unchanged(fresh: Client, *, touches: bool) -> None:
    """An update that changes nothing succeeds; whether it counts and moves the last-updated date is a rule."""
    ruled(fresh, unchanged_touches=touches, most_modifications=2)
    action_id = two_items(fresh)
    before = fresh.action(action_id)
    fresh.world.advance(hours=1)
    for form in ({"Amount": "30", **UPDATE}, {"Reason": "RESET"}):
        assert not fresh.errors(fresh.put(ActionId=action_id, **form))
    row = fresh.action(action_id)
    assert money(row) == (money(before) if not touches else ("30.00", "0.00", "2.50", "0.00"))
    assert fresh.updated(action_id) == touches
    code = "SANDBOX_MODIFICATION_LIMIT_REACHED" if touches else ""
    assert fresh.errors(fresh.put(ActionId=action_id, Amount="5", **UPDATE)) == code


@pytest.mark.parametrize("touches", [True, False])
def test_reversal_touches(fresh: Client, *, touches: bool) -> None:
    """One rule says whether reversals and restorations by the API move the last-updated date."""
    ruled(fresh, reversal_touches=touches)
    action_id = two_items(fresh)
    for write in ({"Amount": "0", **UPDATE}, {"Reason": "RESET"}):
        fresh.world.advance(hours=1)
        assert not fresh.errors(fresh.put(ActionId=action_id, **write))
        assert fresh.updated(action_id) == touches


def test_values_checked_at_once(fresh: Client) -> None:
    """Invalid values may be refused at once, with every field at fault."""
    ruled(fresh, values_checked="at_once")
    response = fresh.put(
        ActionId="x", Reason="?", CustomerStatus="VIP", Sku="A", Amount="1,00", Sku2="B", Quantity2="-1"
    )
    assert response.status_code == 400
    fields = [error["Field"] for error in response.json()["Errors"]]
    assert fields == ["Reason", "CustomerStatus", "Amount", "Quantity2"]
    assert fresh.delete(ActionId="x", DispositionCode="?").json()["Errors"][0]["Field"] == "DispositionCode"
    assert fresh.put(ActionId="x", Reason="RESET").status_code == 200
