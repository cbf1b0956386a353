"""Limits and the masks in which they are stored."""

from itertools import combinations

import pytest

from flexiprice.domain.quote import Limit, limits_from_mask, limits_to_mask


def test_the_order_of_limits_is_fixed_because_masks_are_stored() -> None:
    assert [limit.value for limit in Limit] == [
        "max_discount",
        "floor",
        "margin",
        "rounding",
        "min_change",
        "held",
    ]


def test_every_set_of_limits_survives_its_mask_in_order() -> None:
    every = [chosen for size in range(len(Limit) + 1) for chosen in combinations(Limit, size)]
    assert [limits_from_mask(limits_to_mask(reversed(chosen))) for chosen in every] == every
    assert len({limits_to_mask(chosen) for chosen in every}) == 64


@pytest.mark.parametrize("mask", [-1, 64, 1 << 20])
def test_bits_that_stand_for_no_limit_are_refused(mask: int) -> None:
    with pytest.raises(ValueError, match="not a mask"):
        limits_from_mask(mask)
