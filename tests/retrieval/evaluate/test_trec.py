"""trec: a run that trec_eval reads as it was meant."""

from retrieval.evaluate import run_lines


def test_the_columns_are_trecs() -> None:
    assert list(run_lines("q1", {"a": 0.75})) == ["q1 Q0 a 1 0.75 tollgate"]


def test_equal_scores_keep_their_order() -> None:
    scores = [float(line.split()[4]) for line in run_lines("q", {"b": 1.0, "a": 1.0, "c": 1.0, "d": 0.2})]
    assert scores[0] > scores[1] > scores[2] > scores[3] == 0.2


def test_an_id_stays_one_column() -> None:
    (line,) = run_lines("my query", {"a b\tc": 1.0})
    assert line.split() == ["my_query", "Q0", "a_b_c", "1", "1.0", "tollgate"]
