"""The ledgers of the texts around the paper: every claim whole, each once, enough of them."""

from __future__ import annotations

import pytest

from fashion16_lib.evaluate.claims_multi_label import CLAIMS_MULTI_LABEL
from fashion16_lib.evaluate.claims_product_search import CLAIMS_PRODUCT_SEARCH
from fashion16_lib.evaluate.claims_street_to_shop import CLAIMS_STREET_TO_SHOP
from fashion16_lib.evaluate.verdict import KINDS, NULLS

LEDGERS = (CLAIMS_MULTI_LABEL, CLAIMS_STREET_TO_SHOP, CLAIMS_PRODUCT_SEARCH)


@pytest.mark.parametrize("claim", [claim for ledger in LEDGERS for claim in ledger], ids=lambda claim: claim.id)
def test_a_claim_is_whole(claim):
    assert claim.kind in KINDS and (claim.null in NULLS or not claim.null)
    assert claim.section and claim.claim and claim.paper and claim.tolerance and claim.reason
    assert bool(claim.source) == bool(claim.metric)
    assert claim.null or claim.kind in ("arithmetic", "definition", "point"), "a comparison needs a null"


@pytest.mark.parametrize("ledger", LEDGERS)
def test_there_are_enough_and_each_once(ledger):
    assert len({claim.id for claim in ledger}) == len(ledger) >= 15
