"""Why the API did not carry out a change, in words. The codes are those of its published list of submissions."""

from __future__ import annotations

from typing import Final

from impact_source.api.submissions import Submission

MEANINGS: Final = {
    "ACTION_REF_NOT_FOUND": "the API does not find the action",
    "ACTIONTERMS_NOT_FOUND": "the contract has no terms for the event type",
    "ACTIONTRACKER_CAMPAIGN_MISMATCH": "the event type does not belong to the campaign",
    "ACTIONTRACKER_NOT_ACTIVE": "the event type is not active",
    "ACTIONTRACKER_NOT_FOUND": "the API does not know the event type",
    "BLACKLISTED_SOURCE_IP": "the customer's IP address is blocked",
    "BLOCKED_BY_PROMOCODE": "the promo code was not assigned to the partner",
    "CALL_DUPLICATE": "the same caller has an action already",
    "CALL_DURATION_TOO_SHORT": "the call was too short to be paid",
    "CALL_FOR_CALL_PER_CONV_AT": "the call did not become a sale",
    "CALL_INCOMPLETE": "the call did not connect",
    "CALL_OUTSIDE_DAILY_RANGE": "the call came outside the agreed hours",
    "CAMPAIGN_NOT_FOUND": "the API does not know the campaign",
    "CONTRACT_NOT_FOUND": "the partner had no contract at that time",
    "CONV_DUPLICATE": "an action with this order id exists already",
    "CREDITING_RULE_MISMATCH": "the crediting rules give the action to someone else",
    "MALFORMED": "the API cannot read a value",
    "MAX_RECURRENCES_REACHED": "the referral has all the actions that it may have",
    "NO_ITEM": "no items were sent",
    "NO_VALID_ACTION_REF": "the referral earns no commission",
    "OID_MISSING": "the order id is missing",
    "OTHER_REF_PRIORITIZED": "another referral comes first",
    "OUTSIDE_ASSOCIATION_WINDOW": "the action's date is outside the referral window",
    "PARTNER_NOT_ACTIVE": "the partner was not active at that time",
    "REFTYPE_NOT_ACCEPTED": "the contract has no terms for this kind of referral",
    "RESTRICTED_PROMOCODE": "the promo code belongs to another partner",
    "UNCLAIMED": "no preferred media source claims the action",
}
"""The meaning of the published codes; others are shown as they are."""


def explained(submission: Submission) -> str:
    """Why a submission was not carried out: in words if the codes are published, together with the codes."""
    codes = submission.errors
    told = " ".join(dict.fromkeys([submission.error_type.strip(), *codes])).strip()
    meaning = "; ".join(MEANINGS[code] for code in codes if code in MEANINGS)
    return f"{meaning} ({told})" if meaning else told
