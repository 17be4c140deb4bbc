"""What a sandbox child gives up before it sees a foreign byte: memory, files to write, processes, the network.

Resource limits hold on every POSIX system. On Linux (x86-64, AArch64) a seccomp filter also refuses the system calls
that open sockets, start programs, signal others or change the file system (seccomp(2); classic BPF as in
linux/filter.h). Neither needs root. Elsewhere only the limits apply, and `confine` says so by returning False.
"""

import ctypes
import math
import platform
import resource
import struct
import sys
from collections.abc import Mapping

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; each argument takes eight bytes
_CLONE_THREAD, _WRITING = 0x00010000, 0o3 | 0o100 | 0o1000  # O_WRONLY|O_RDWR, O_CREAT, O_TRUNC

# Refused outright: sockets, programs, other processes, the file system's shape, the kernel's own doors.
_X86_64: Mapping[str, object] = {
    "arch": 0xC000003E, "openat": 257, "open": 2, "clone": 56, "clone3": 435,
    "refused": [
        41, 42, 43, 44, 45, 46, 47, 49, 50, 53, 288, 299, 307,  # socket … sendmmsg
        57, 58, 59, 322, 62, 200, 234, 101, 310, 311, 434, 424,  # fork, exec, kill, ptrace, process_vm, pidfd
        76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133,  # truncate, rename, mkdir, link, chmod, chown
        258, 259, 260, 263, 264, 265, 266, 268, 316, 437, 452,  # their *at forms, openat2
        105, 106, 113, 114, 117, 119, 155, 161, 165, 166, 272, 308, 321, 323, 246, 304, 425,  # ids, mount, bpf
    ],
}  # fmt: skip
_AARCH64: Mapping[str, object] = {
    "arch": 0xC00000B7, "openat": 56, "open": None, "clone": 220, "clone3": 435,
    "refused": [
        198, 199, 200, 201, 202, 203, 206, 207, 211, 212, 242, 243, 269,
        221, 281, 129, 130, 131, 117, 270, 271, 434, 424,
        33, 34, 35, 36, 37, 38, 45, 46, 52, 53, 54, 55, 276, 437, 452,
        39, 40, 51, 97, 143, 144, 145, 146, 147, 149, 265, 268, 280, 282, 104, 425,
    ],
}  # fmt: skip


def confine(memory_bytes: int) -> bool:
    """Give up what decoding does not need, irrevocably. True when the system calls are filtered too."""
    # A file that this process would write is at most empty; core dumps would hold patient data.
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(kind)[1]
        ceiling = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (ceiling, ceiling))
    return _filter_system_calls()


def allow_processor(seconds: float) -> None:
    """Die by SIGXCPU when this process computes longer than that from now on, whoever else may be gone by then."""
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = math.ceil(spent + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _filter_system_calls() -> bool:
    table = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine())
    if not sys.platform.startswith("linux") or table is None:
        return False
    program = b"".join(_program(table))
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return int(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)) == 0


def _program(table: Mapping[str, object]) -> list[bytes]:
    steps = [_step(_LOAD, 0, 0, _ARCH), _step(_EQUAL, 1, 0, _int(table["arch"])), _step(_RETURN, 0, 0, _REFUSE)]
    steps += [_step(_LOAD, 0, 0, _NUMBER)]
    refused = table["refused"]
    assert isinstance(refused, list)
    for number in refused:
        steps += [_step(_EQUAL, 0, 1, number), _step(_RETURN, 0, 0, _REFUSE)]
    # Without clone3 the C library falls back to clone, whose flags a filter can read.
    steps += [_step(_EQUAL, 0, 1, _int(table["clone3"])), _step(_RETURN, 0, 0, _ABSENT)]
    steps += _when(_int(table["clone"]), 0, _CLONE_THREAD, set_is_fine=True)
    steps += _when(_int(table["openat"]), 2, _WRITING, set_is_fine=False)
    if table["open"] is not None:
        steps += _when(_int(table["open"]), 1, _WRITING, set_is_fine=False)
    return [*steps, _step(_RETURN, 0, 0, _ALLOW)]


def _when(number: int, argument: int, bits: int, *, set_is_fine: bool) -> list[bytes]:
    """For one call: allow or refuse by whether any of the bits of one argument is set."""
    yes, no = (_ALLOW, _REFUSE) if set_is_fine else (_REFUSE, _ALLOW)
    return [
        _step(_EQUAL, 0, 4, number),
        _step(_LOAD, 0, 0, _ARGUMENT + 8 * argument),
        _step(_BITS, 0, 1, bits),
        _step(_RETURN, 0, 0, yes),
        _step(_RETURN, 0, 0, no),
    ]


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
