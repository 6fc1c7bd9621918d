"""What a missing feature means: the table, and the verdicts behind it."""

from __future__ import annotations

import errno
import os

import pytest

from helpers import features, features_info, gating, kernel
from helpers.deadline import DeadlineExpired
from helpers.expect import moved, refused
from helpers.features import Absent, Broken, Feature, Forbidden, Present, Verdict
from helpers.gating import RUN, Decision, decide
from helpers.kernel import Version
from helpers.process import spawn
from helpers.uapi import CloneFlag

PRESENT = Present()


def feature(*config: str, rule: bool = False, verdict: Verdict = PRESENT) -> Feature:
    """A feature of v6.15."""
    return Feature("teleporting", Version(6, 15), lambda: verdict, config, rule)


ABSENT = Absent("teleport() gives ENOSYS")
LOST = (
    "lost feature: teleporting is in the kernel since v6.15, and this one, v6.16, lacks it: "
    "teleport() gives ENOSYS"
)
OLD = Decision(skip="kernel lacks teleporting (since v6.15)")
UNBUILT = Decision(skip="teleporting: this kernel is built without CONFIG_TELEPORT")


def configured(answer: bool | None) -> Decision:
    """The decision on a lost feature whose option is `answer`."""
    return decide(
        feature("TELEPORT"), ABSENT, version=Version(6, 16), is_configured=lambda _: answer
    )


@pytest.mark.parametrize(
    ("verdict", "version", "due"),
    [
        pytest.param(Present(), (6, 16), RUN, id="present"),
        pytest.param(Present(), (5, 10), RUN, id="backported"),
        pytest.param(ABSENT, (6, 14), OLD, id="absent on an older kernel"),
        pytest.param(ABSENT, (5, 19), OLD, id="versions compare as numbers"),
        pytest.param(ABSENT, (6, 16), Decision(fail=LOST), id="absent on a newer kernel"),
        pytest.param(
            Forbidden("a guard"),
            (6, 16),
            Decision(skip="forbidden here: teleporting: a guard"),
            id="forbidden",
        ),
    ],
)
def test_verdict_and_version_decide(
    verdict: Verdict, version: tuple[int, int], due: Decision
) -> None:
    """Too old is a skip, lost is a failure, forbidden is a skip that says by what."""
    assert decide(feature(), verdict, version=Version(*version)) == due


def test_lost_features_can_be_made_to_skip() -> None:
    """With --lost-features=skip the reason stays the same."""
    decision = decide(feature(), ABSENT, version=Version(6, 16), lost="skip")
    assert decision == Decision(skip=LOST)


@pytest.mark.parametrize(
    ("answer", "due"),
    [(False, UNBUILT), (True, Decision(fail=LOST)), (None, Decision(fail=LOST))],
    ids=["off", "on", "unknown"],
)
def test_an_option_that_is_off_explains_the_absence(answer: bool | None, due: Decision) -> None:
    """Only a configuration that is known excuses a kernel."""
    assert configured(answer) == due


def test_a_lost_rule_is_left_to_its_own_tests() -> None:
    """They show it better than a gate: they run on a kernel that is new enough, and only there."""
    rule = feature(rule=True)
    assert decide(rule, ABSENT, version=Version(6, 16)) == RUN
    assert decide(rule, ABSENT, version=Version(6, 14)) == OLD
    assert decide(rule, Forbidden("a guard"), version=Version(6, 16)).skip


@pytest.mark.parametrize(
    ("error", "filtered", "due"),
    [
        (0, False, Present()),
        (errno.ENOSYS, False, Absent("call() gives ENOSYS")),
        (
            errno.ENOSYS,
            True,
            Forbidden("call() gives ENOSYS, and a seccomp filter is in force here"),
        ),
        (errno.EAFNOSUPPORT, False, Absent("call() gives EAFNOSUPPORT")),
        (
            errno.EAFNOSUPPORT,
            True,
            Forbidden("call() gives EAFNOSUPPORT, and a seccomp filter is in force here"),
        ),
        (
            errno.EPERM,
            False,
            Forbidden("call() gives EPERM: a guard forbids it"),
        ),
        (
            errno.ENOSPC,
            False,
            Forbidden("call() gives ENOSPC: a limit in /proc/sys/user/ is reached or set to 0"),
        ),
        (
            errno.EMFILE,
            False,
            Forbidden("call() gives EMFILE: a limit in /proc/sys/user/ is reached or set to 0"),
        ),
    ],
)
def test_errno_of_a_probe_tells_absent_from_forbidden(
    error: int, filtered: bool, due: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSYS is the kernel's word, unless a filter can have put it into its mouth."""
    monkeypatch.setattr(kernel, "filters_calls", lambda: filtered)
    monkeypatch.setattr(kernel, "what_forbids", lambda: "a guard forbids it")
    absent = (errno.ENOSYS, errno.EAFNOSUPPORT)
    assert features.judge(error, "call()", absent) == due


@pytest.mark.parametrize(
    ("filtered", "user", "told"),
    [
        (False, 0, "a security module forbids it"),
        (True, 0, "seccomp or a security module forbids it"),
        (False, 1000, "not being root or a security module forbids it"),
    ],
)
def test_what_can_have_forbidden_something_is_named(
    filtered: bool, user: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what cannot have been is not."""
    monkeypatch.setattr(kernel, "filters_calls", lambda: filtered)
    monkeypatch.setattr(kernel, "_SWITCHES", {})
    monkeypatch.setattr(kernel, "_in_chroot", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert kernel.what_forbids() == told


def test_an_errno_that_no_probe_knows_is_a_finding() -> None:
    """What means neither absent nor forbidden is never taken for one of them."""
    found = features.judge(errno.EIO, "call()", (errno.ENOSYS,))
    text = "call() gives EIO, where success was due, ENOSYS if the kernel lacks it"
    assert found == Broken(text)
    assert decide(feature(), found, version=Version(6, 14)).fail == f"teleporting: {text}"


@pytest.mark.parametrize(
    ("subject", "found", "due"),
    [
        (PRESENT, PRESENT, "Present"),
        (ABSENT, PRESENT, "Unasked"),
        (ABSENT, ABSENT, "Absent"),
        (PRESENT, ABSENT, "Absent"),
    ],
)
def test_presence_means_nothing_where_its_subject_is_missing(
    subject: Verdict, found: Verdict, due: str
) -> None:
    """A kernel without a call checks none of its arguments: no test is gated by that."""
    ask = features_info.about(feature(verdict=subject), lambda: found)
    assert type(ask()).__name__ == due
    assert decide(feature(), ask(), version=Version(6, 14)) == (RUN if found == PRESENT else OLD)


def test_child_that_is_refused_on_the_way_is_told_as_a_call() -> None:
    """Not as that part of the zygote in which the answer came."""

    def probe() -> Verdict:
        spawn(CloneFlag.NEWUSER | CloneFlag.FS)
        return PRESENT

    unmade = Feature("x", Version(6, 15), probe)
    assert features.verdict(unmade) == Broken("spawn gives EINVAL, where success was due")


def test_order_that_is_refused_on_the_way_is_told_as_it_was_given() -> None:
    """Not as the function in which its answer came."""
    unmade = Feature("x", Version(6, 15), lambda: spawn().leader.call(os.close, -1) or PRESENT)
    told = Broken("leader: close(-1) gives EBADF, where success was due")
    assert features.verdict(unmade) == told


def test_a_probe_that_waits_in_vain_is_asked_once() -> None:
    """Its deadline is long, and many tests may need the feature."""
    asked = []

    def probe() -> Verdict:
        asked.append("once")
        raise DeadlineExpired("waited in vain")

    lame = Feature("y", Version(6, 15), probe)
    assert features.verdict(lame) == features.verdict(lame)
    assert features.verdict(lame) == Broken("asking whether it is there: waited in vain")
    assert asked == ["once"]


def test_verdict_is_asked_of_the_kernel_once() -> None:
    """A probe may be dear."""
    asked = []

    def probe() -> Verdict:
        asked.append("once")
        return Present()

    once = Feature("x", Version(6, 15), probe)
    assert features.verdict(once) == features.verdict(once) == Present()
    assert asked == ["once"]


def test_features_of_the_suite_have_names_that_differ() -> None:
    """A skip reason must say which feature it is about."""
    named = [value for value in vars(features).values() if isinstance(value, Feature)]
    assert len({feature.name for feature in named}) == len(named) > 5


def test_refusal_with_the_right_errno_passes() -> None:
    """So does one of several."""
    with refused(errno.ESRCH, errno.EBADF):
        raise OSError(errno.EBADF, "bad")


def test_refusal_with_another_errno_fails_with_both_names() -> None:
    """The text has the errno that came and the one that was due."""
    number = 9
    call, values = r"os.fstat\(number \* 1000\)", r"\(number = 9\)"
    text = rf"^{call} was refused with EBADF \(Bad.*\), ESRCH was due {values}$"
    with pytest.raises(AssertionError, match=text):
        with refused(errno.ESRCH):
            os.fstat(number * 1000)


def test_missing_refusal_fails() -> None:
    """A call that went through is no refusal."""
    with pytest.raises(AssertionError, match=r"^os.getpid\(\) was done, EPERM or EINVAL was due$"):
        with refused(errno.EPERM, errno.EINVAL):
            os.getpid()


def test_an_errno_is_told_by_the_name_that_the_kernel_uses() -> None:
    """Python knows 95 by its other name."""
    with pytest.raises(AssertionError, match="EOPNOTSUPP was due"):
        with refused(errno.EOPNOTSUPP):
            os.getpid()


@pytest.mark.parametrize(
    ("running", "due"),
    [((6, 16), (errno.ESRCH,)), ((6, 15), (errno.ESRCH,)), ((6, 14), (errno.ESRCH, errno.EINVAL))],
)
def test_corrected_errno_is_strict_from_its_version_on(
    running: tuple[int, int], due: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old value is accepted only before the correction."""
    monkeypatch.setattr(kernel, "running", lambda: Version(*running))
    assert moved(errno.ESRCH, old=errno.EINVAL, since=(6, 15)) == due


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("6.12.117+deb13-amd64", (6, 12)),
        ("7.3.4", (7, 3)),
        ("6.18.44-fc-v595", (6, 18)),
        ("6.15-rc3", (6, 15)),
    ],
)
def test_mainline_version_of_a_release(release: str, version: tuple[int, int]) -> None:
    """Whatever a distribution appends."""
    assert kernel.parse_release(release) == version


def test_configuration_that_does_not_mention_an_option_has_it_off() -> None:
    """Options with an unmet dependency are not in the file at all."""
    text = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=12\n"
    assert kernel.parse_config(text) == {"A": "y", "B": "m", "C": "n", "D": "12"}


def test_gate_takes_the_first_need_that_is_not_met(request: pytest.FixtureRequest) -> None:
    """One reason is enough."""
    here = request.node
    for by in ("first", "second"):
        here.add_marker(gating.needs(feature(by, verdict=Forbidden(by))), append=False)
    assert gating.gate(here).skip == "forbidden here: teleporting: second"
