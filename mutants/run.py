"""One run over the mutants: first the sound kernel, then whatever has no verdict yet."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from mutants import catalogue, page
from mutants.build import Workshop
from mutants.campaign import Campaign
from mutants.catalogue import Mutant
from mutants.page import Row
from mutants.verdicts import BROKEN, SOUND, Plan, Store, Verdict
from vmtest import machine, root
from vmtest.errors import UserError
from vmtest.guestrun import Settings
from vmtest.images import Kernel
from vmtest.results import FINISHED, KernelResult

# What a mutant reads beyond the end of what it was given is the same in every run.
_KERNEL_OPTIONS = ("init_on_alloc=1",)


def campaign(shop: Workshop, kernel: Kernel, options: argparse.Namespace) -> Campaign:
    """A campaign on `kernel`, with the C suite that `shop` builds where it is wanted."""
    qemu = machine.find_qemu()
    settings = Settings(
        kvm=machine.kvm_works(qemu, kernel.path),
        cpus=options.cpus,
        boot_timeout=300.0,
        silence=options.silence,
    )
    command = machine.compose(
        kernel,
        kvm=settings.kvm,
        cpus=settings.cpus,
        memory=settings.memory,
        qemu=qemu,
        options=_KERNEL_OPTIONS,
    )
    programs = None if options.no_c else shop.c_suite()
    return Campaign(kernel, command, settings, programs, options.enough)


class Run:
    """One call of the command."""

    def __init__(self, campaign: Campaign, store: Store, options: argparse.Namespace) -> None:
        """Run nothing yet; what there is will be kept in `store`."""
        self.campaign = campaign
        self.store = store
        self.options = options
        self.suite = root.suite_key()

    def sound(self) -> None:
        """Run everything with no mutant: what fails then says nothing about any."""
        programs = sorted({name for mutant in catalogue.load() for name in mutant.c})
        nothing = Mutant(SOUND, "", "", "no rule", (), tuple(programs))
        plan = Plan(nothing, 0, self.campaign.key(suite=True), c=False)
        known = None if self.options.again else self.store.get(SOUND, plan.edit)
        told = {record["program"] for record in known.programs} if known else set()
        wanted = [] if known else [plan]
        if not self.options.no_c and not told.issuperset(programs):
            wanted.append(replace(plan, c=True, only_c=True))
        gave: dict[bool, Verdict] = {}

        def ended(plan: Plan, verdict: Verdict, result: KernelResult) -> None:
            tail = "".join(f"\n  {line}" for line in result.tail)
            if result.end != FINISHED:
                raise UserError(f"the kernel without a mutant {result.end}:{tail}")
            if result.code not in (0, 1) or not (result.tests or plan.only_c):
                raise UserError(f"without a mutant pytest ended with {result.code}{tail}")
            gave[plan.only_c] = verdict

        self.campaign.run(wanted, self.options.jobs, ended, everything=True)
        known = gave.get(False) or known
        assert known, "it was run, or kept from an earlier run"
        if True in gave:
            known.programs = gave[True].programs
        if gave:
            self.store.put(known)
        self.campaign.sound = known
        for name in known.failed:
            sys.stdout.write(f"fails without any mutant, and does not count: {name}\n")

    def all(self, wanted: list[Plan]) -> None:
        """Run what has no verdict yet."""
        left = [lacking for plan in wanted if (lacking := self._lacking(plan))]
        again: list[Plan] = []
        done, total = 0, len(left)

        def ended(plan: Plan, verdict: Verdict, _result: KernelResult) -> None:
            nonlocal done
            done += 1
            verdict.suite = self.suite
            before = self._verdict(plan)
            if plan.only_c and before:
                verdict = before.with_c_of(verdict)
            elif not plan.c and before:
                verdict = verdict.with_c_of(before)
            if plan.only_c:
                pass
            elif verdict.is_doubtful and not plan.patient:
                again.append(replace(plan, patient=True))
                return
            elif plan.c and not verdict.c and verdict.ours != BROKEN:
                again.append(replace(plan, only_c=True))
            self.store.put(verdict)
            sys.stdout.write(f"{done}/{total} {page.line(Row(plan.mutant, verdict))}\n")
            sys.stdout.flush()

        tests = {"everything": self.options.all_tests, "quick": self.options.quick}
        self.campaign.run(left, self.options.jobs, ended, batch=self.options.batch, **tests)
        while again:
            left, again = again, []
            total += len(left)
            self.campaign.run(left, self.options.jobs, ended, **tests)

    def _lacking(self, plan: Plan) -> Plan | None:
        """What of a plan no earlier run of it has found."""
        verdict = None if self.options.again else self._verdict(plan)
        if verdict is None:
            return plan
        if not self._is_done(verdict):
            return replace(plan, c=False) if verdict.c else plan
        return replace(plan, only_c=True) if plan.c and not verdict.c else None

    def _is_done(self, verdict: Verdict) -> bool:
        if not verdict.ours:
            return False
        if verdict.is_killed:
            return True
        # A test may have been added for it since.
        return verdict.suite == self.suite and (verdict.everything or bool(self.options.quick))

    def _verdict(self, plan: Plan) -> Verdict | None:
        return self.store.get(plan.mutant.name, plan.edit)
