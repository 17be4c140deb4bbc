"""A bug counts as caught only where its test ran and passed."""

from tests.chaos import honesty
from tests.chaos.planted import BUGS

FIRST, SECOND, THIRD, *_ = BUGS


def test_who_failed_or_was_skipped_or_never_ran_is_not_caught() -> None:
    cases = (
        f'<testcase name="test_a_bug[scene-{FIRST}]"/><testcase name="test_a_bug[scene-none]"/>'
        f'<testcase name="test_a_bug[scene-{SECOND}]"><failure message="no"/></testcase>'
        f'<testcase name="test_a_bug[scene-{THIRD}]"><skipped/></testcase>'
    )
    caught = honesty._read(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert list(caught) == list(BUGS)
    assert [name for name, found in caught.items() if found] == [FIRST]
