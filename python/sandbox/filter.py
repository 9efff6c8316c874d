"""Seccomp filters, assembled here and installed through prctl: no Python package is needed.

A filter is a list of syscalls that pass; every other one fails with EPERM. Numbers of x86-64 and AArch64
stand in the tables below; on another machine `supported()` is False and the sandbox is not there.
"""

from __future__ import annotations

import ctypes
import platform
import struct

_X86_64 = 0xC000003E
_AARCH64 = 0xC00000B7


def _numbers(table: str) -> dict[str, int]:
    return {name: int(number) for name, number in (entry.split("=") for entry in table.split())}


# What a Python program needs to compute and to read the standard library. Nothing here makes a process, a
# socket or a file, sends a signal, or looks into another process.
_PLAIN = {
    "x86_64": _numbers(
        """
        read=0 write=1 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
        rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 readv=19 writev=20 access=21
        select=23 sched_yield=24 mremap=25 madvise=28 dup=32 nanosleep=35 getitimer=36 alarm=37
        setitimer=38 getpid=39 exit=60 uname=63 getcwd=79 readlink=89 gettimeofday=96 getrlimit=97
        getrusage=98 sysinfo=99 times=100 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110
        sigaltstack=131 arch_prctl=158 gettid=186 time=201 futex=202 sched_getaffinity=204
        getdents64=217 restart_syscall=219 clock_gettime=228 clock_getres=229 clock_nanosleep=230
        exit_group=231 newfstatat=262 readlinkat=267 faccessat=269 pselect6=270 ppoll=271
        set_robust_list=273 getrandom=318 statx=332 rseq=334 faccessat2=439
        """
    ),
    "aarch64": _numbers(
        """
        getcwd=17 dup=23 faccessat=48 close=57 getdents64=61 lseek=62 read=63 write=64 readv=65
        writev=66 pread64=67 pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 exit=93
        exit_group=94 futex=98 set_robust_list=99 nanosleep=101 getitimer=102 setitimer=103
        clock_gettime=113 clock_getres=114 clock_nanosleep=115 sched_getaffinity=123 sched_yield=124
        restart_syscall=128 sigaltstack=132 rt_sigaction=134 rt_sigprocmask=135 rt_sigreturn=139
        times=153 uname=160 getrlimit=163 getrusage=165 gettimeofday=169 getpid=172 getppid=173
        getuid=174 geteuid=175 getgid=176 getegid=177 gettid=178 sysinfo=179 brk=214 munmap=215
        mremap=216 mmap=222 mprotect=226 madvise=233 getrandom=278 statx=291 rseq=293 faccessat2=439
        """
    ),
}

# Calls that pass with some arguments only: (number, argument, values or None, mask of bits that must be 0).
#   openat: for reading alone. O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND.
#   fcntl: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; never F_SETOWN or F_SETSIG: they signal.
#   ioctl: TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX; never FIOSETOWN, FIOASYNC or TIOCSTI.
#   prlimit64: asking, never setting (the server's limits could be lowered by the same user).
_FCNTL = (0, 1, 2, 3, 1030)
_IOCTL = (0x5401, 0x5413, 0x5450, 0x5451)
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
_GUARDED = {
    "x86_64": ((257, 2, None, _WRITING), (72, 1, _FCNTL, 0), (16, 1, _IOCTL, 0), (302, 2, (0,), 0)),
    "aarch64": ((56, 2, None, _WRITING), (25, 1, _FCNTL, 0), (29, 1, _IOCTL, 0), (261, 2, (0,), 0)),
}
_ARCHITECTURE = {"x86_64": _X86_64, "aarch64": _AARCH64}

# Classic BPF on struct seccomp_data: number at 0, architecture at 4, 64-bit arguments from 16.
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_NOT_LESS, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_X32_BIT = 0x40000000

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _argument(index: int, high: bool = False) -> bytes:
    return _instruction(_LOAD, 16 + 8 * index + (4 if high else 0))


def _guarded(number: int, argument: int, values: tuple[int, ...] | None, clear: int) -> bytes:
    """Jump over the block unless it is this call; allow it when the argument is as it must be."""
    refuse = _instruction(_RETURN, _EPERM)
    if values is None:
        block = (
            _argument(argument)
            + _instruction(_JUMP_SET, clear, 0, 1)
            + refuse
            + _instruction(_RETURN, _ALLOW)
        )
    else:
        # The upper half must be 0 as well. The last test falls through to the refusal; a hit jumps over it.
        block = (
            _argument(argument, high=True)
            + _instruction(_JUMP_EQUAL, 0, 1, 0)
            + refuse
            + _argument(argument)
            + b"".join(_instruction(_JUMP_EQUAL, v, len(values) - i, 0) for i, v in enumerate(values))
            + refuse
            + _instruction(_RETURN, _ALLOW)
        )
    return _instruction(_JUMP_EQUAL, number, 0, len(block) // 8) + block


def assemble(machine: str) -> bytes:
    """The filter of a machine as a BPF program."""
    program = _instruction(_LOAD, 4)
    program += _instruction(_JUMP_EQUAL, _ARCHITECTURE[machine], 1, 0) + _instruction(_RETURN, _KILL)
    program += _instruction(_LOAD, 0)
    if machine == "x86_64":
        program += _instruction(_JUMP_NOT_LESS, _X32_BIT, 0, 1) + _instruction(_RETURN, _KILL)
    for number in _PLAIN[machine].values():
        program += _instruction(_JUMP_EQUAL, number, 0, 1) + _instruction(_RETURN, _ALLOW)
    for rule in _GUARDED[machine]:
        program += _guarded(*rule)
    return program + _instruction(_RETURN, _EPERM)


def supported() -> bool:
    return platform.machine() in _PLAIN and ctypes.sizeof(ctypes.c_void_p) == 8


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Lock:
    """The calling process's own lock: prepared once by the server, closed by each child after its fork."""

    def __init__(self) -> None:
        code = assemble(platform.machine())
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _prctl(self, option: int, *values: int) -> None:
        arguments = [ctypes.c_ulong(v) for v in (*values, 0, 0, 0, 0)[:4]]
        if self._libc.prctl(ctypes.c_int(option), *arguments) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")

    def die_with_parent(self) -> None:
        self._prctl(_PR_SET_PDEATHSIG, 9)

    def close(self) -> None:
        """No way back: no privilege can be gained, memory cannot be read from outside, calls are filtered."""
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
        self._prctl(_PR_SET_DUMPABLE, 0)
        self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(self._program))
