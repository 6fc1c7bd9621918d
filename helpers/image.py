"""A program image that tells that it runs: it echoes its input and ends with it.

An exec of it is over in a fraction of the time that an interpreter takes to start, which is most
of what an exec test costs. On machines whose code is not written here, ``cat`` does the same.
"""

from __future__ import annotations

import os
import struct

from helpers.descriptor import Descriptor
from helpers.uapi import ABI, IS_64BIT

# for (;;) { n = read(0, buffer, 64); if (n <= 0) exit_group(0); write(1, buffer, n); }
_CODE = {
    "x86_64": (
        62,  # EM_X86_64
        (
            "31ff"  # again: xor edi, edi
            "488d7424c0"  # lea rsi, [rsp - 64]
            "6a405a"  # push 64; pop rdx
            "31c00f05"  # xor eax, eax; syscall (read)
            "85c07e0a"  # test eax, eax; jle end
            "92"  # xchg eax, edx
            "6a015f"  # push 1; pop rdi
            "89f80f05"  # mov eax, edi; syscall (write)
            "ebe4"  # jmp again
            "31ff"  # end: xor edi, edi
            "b8e70000000f05"
        ),  # mov eax, 231; syscall (exit_group)
    ),
    "i386": (
        3,  # EM_386
        (
            "31db"  # again: xor ebx, ebx
            "8d4c24c0"  # lea ecx, [esp - 64]
            "6a405a"  # push 64; pop edx
            "6a0358cd80"  # push 3; pop eax; int 0x80 (read)
            "85c07e0b"  # test eax, eax; jle end
            "92"  # xchg eax, edx
            "6a015b"  # push 1; pop ebx
            "6a0458cd80"  # push 4; pop eax; int 0x80 (write)
            "ebe3"  # jmp again
            "31db"  # end: xor ebx, ebx
            "b8fc000000cd80"  # mov eax, 252; int 0x80 (exit_group)
        ),
    ),
}
# Tell by 8 bytes on descriptor 3 that this image runs, and make a thread that executes descriptor
# 4, which is this same image; the leader pauses, or exits alone. The end of the reader ends all:
# a subthread's exec has shed PR_SET_PDEATHSIG.
_CHAIN = {
    "x86_64": (
        62,
        (
            "6a014889e6"  # push 1; mov rsi, rsp
            "6a085a6a035f"  # push 8; pop rdx; push 3; pop rdi
            "6a01580f0585c07845"  # push 1; pop rax; syscall (write); test eax, eax; js fail
            "bf000f0500"  # mov edi, CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM
            "488db42400f0ffff"  # lea rsi, [rsp - 4096]
            "31d24531d24531c0"  # xor edx, edx; xor r10d, r10d; xor r8d, r8d
            "6a38580f05"  # push 56; pop rax; syscall (clone)
            "85c078277409"  # test eax, eax; js fail; jz thread
            "6a%02x5831ff0f05ebf7"  # leader: push 34 or 60; pop rax; xor edi, edi; syscall; jmp
            "6a004889e64989e2"  # thread: push 0; mov rsi, rsp; mov r10, rsp (empty, no variables)
            "564889e2"  # push rsi; mov rdx, rsp (one empty argument)
            "6a045f41b800100000"  # push 4; pop rdi; mov r8d, AT_EMPTY_PATH
            "b8420100000f05"  # mov eax, 322; syscall (execveat)
            "bf79000000b8e70000000f05"  # fail: mov edi, 121; mov eax, 231; syscall (exit_group)
        ),
    ),
}
_PAUSE, _EXIT = 34, 60
_BASE = 0x400000


def _elf(machine: int, code: bytes) -> bytes:
    """A static little-endian ELF file of one loadable segment that starts at its code."""
    headers, program = (64, 56) if IS_64BIT else (52, 32)
    start, size = headers + program, headers + program + len(code)
    ident = b"\x7fELF" + bytes([1 + IS_64BIT, 1, 1]) + bytes(9)
    word = "Q" if IS_64BIT else "I"
    sizes = (headers, program, 1, 0, 0, 0)
    header = struct.pack(
        f"<16sHHI{word * 3}I6H", ident, 2, machine, 1, _BASE + start, headers, 0, 0, *sizes
    )
    # Type and flags (readable, executable), which stand apart in the 32-bit form.
    if IS_64BIT:
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    else:
        segment = struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 5, 0x1000)
    return header + segment + code


def make_echo() -> Descriptor | str:
    """The image: a descriptor of an anonymous file with it, or the path of ``cat``.

    Raises ``FileNotFoundError`` where there is neither.
    """
    if ABI in _CODE:
        machine, code = _CODE[ABI]
        image = _make("pidfd-echo", _elf(machine, bytes.fromhex(code)))
        if image is not None:
            return image
    import shutil  # large, and seldom needed: what the zygote does not hold makes forks cheaper

    path = shutil.which("cat")
    if path is None:
        raise FileNotFoundError("no program to exec: `cat` is not on the PATH")
    return path


def make_exec_chain(*, leader_exits: bool) -> Descriptor | None:
    """An image whose subthread executes it again, and so on; None where its code is not written.

    It wants a pipe as descriptor 3, to which it writes 8 bytes each time that it begins, and
    itself as descriptor 4. The leader pauses, or exits alone while the subthread executes.
    """
    if ABI not in _CHAIN:
        return None
    machine, code = _CHAIN[ABI]
    return _make(
        "pidfd-chain", _elf(machine, bytes.fromhex(code % (_EXIT if leader_exits else _PAUSE)))
    )


def _make(name: str, content: bytes) -> Descriptor | None:
    try:
        image = Descriptor(os.memfd_create(name), name)
    except OSError:  # no memfd_create(2)
        return None
    try:
        os.write(image.fileno(), content)
        os.fchmod(image.fileno(), 0o755)
    except OSError:  # vm.memfd_noexec (v6.3) has sealed the mode
        image.close()
        return None
    return image
