"""turns: what is past, in which order it goes, and what of a turn are exchanges with tools."""

from gateway.truncation.turns import exchanges, last_turn, newer, order, past
from tests.gateway.truncation.counters import looked_up

SYSTEM, USER, ANSWER = ({"role": role, "content": role} for role in ("system", "user", "assistant"))
THREE = (SYSTEM, USER, ANSWER, USER, *looked_up("a", "found"), SYSTEM, ANSWER, USER, ANSWER)


def test_a_turn_goes_to_the_next_users_message_and_the_last_one_is_not_past() -> None:
    assert past(THREE) == [(1, 2), (3, 4, 5, 7)]
    assert last_turn(THREE) == 8
    assert past((ANSWER, USER)) == [(0,)]
    assert past((USER,)) == past(()) == []


def test_without_a_user_the_last_message_is_what_is_asked() -> None:
    assert (past((ANSWER, ANSWER)), last_turn((ANSWER, ANSWER)), last_turn(())) == ([(0,)], 1, 0)


def test_from_the_middle_the_first_turn_goes_last() -> None:
    turns = [(0,), (1,), (2,)]
    assert (order(turns, "oldest"), order(turns, "middle")) == (turns, [(1,), (2,), (0,)])


def test_exchanges_are_calls_with_what_tools_said() -> None:
    twice = (USER, *looked_up("a", "x"), ANSWER, *looked_up("b", "y"), *looked_up("c", "z")[1:], ANSWER)
    assert exchanges(twice, tuple(range(len(twice)))) == ((0, 3, 7), [(1, 2), (4, 5, 6)])


def test_the_newer_half_keeps_the_last_turn_and_instructions() -> None:
    assert newer(THREE) == (SYSTEM, *THREE[3:])
    assert newer((SYSTEM, USER, ANSWER, USER)) == (SYSTEM, USER)
    assert newer((SYSTEM, USER)) == (SYSTEM, USER)
