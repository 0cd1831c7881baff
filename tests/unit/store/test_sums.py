"""Rows of counts: what they are depends on the counts alone."""

from atoll.store import sums


def test_a_row_does_not_tell_how_its_counts_came_about() -> None:
    one_by_one = sums.plus(sums.plus(sums.plus(None, (-1, 0)), (1,)), (1,))
    assert one_by_one == sums.plus(sums.plus(None, (-1, 0)), sums.combine((1,), (1,))) == sums.pack((1,))


def test_counts_that_end_in_zeros_are_read_whole() -> None:
    row = sums.pack((3, 0, 0))
    assert (len(row or b""), sums.read(row, 3), sums.read(None, 2)) == (8, (3, 0, 0), (0, 0))
