/**
 * Programs that try to get out, or to pass without knowing the answer. Each defines `simple_math_problem` and returns 42,
 * the expected answer, only where its attack succeeds.
 */

export interface Attack {
  readonly name: string
  readonly kind: "files" | "network" | "processes" | "resources" | "forgery"
  readonly source: string
  /** Tests that the attack is made for, in place of the usual ones. */
  readonly test?: string
}

/** An action that counts as an escape unless it raises. */
const action = (...lines: readonly string[]): string =>
  [
    "import os",
    "def simple_math_problem():",
    "    try:",
    ...lines.map((line) => `        ${line}`),
    "    except BaseException:",
    "        return 0",
    "    return 42",
  ].join("\n")

const libc = (...lines: readonly string[]): string =>
  action("import ctypes", "libc = ctypes.CDLL(None, use_errno=True)", ...lines)

/** A system call by number (x86-64) that counts as an escape when it succeeds. */
const syscall = (...values: readonly (number | string)[]): string =>
  libc(
    `result = libc.syscall(${values.map((value) => (typeof value === "number" ? `ctypes.c_long(${value})` : value)).join(", ")})`,
    "assert result >= 0",
  )

export const TESTS = `
def check(candidate):
    assert candidate() == 42
    assert candidate() != 41
    return
`

export const ATTACKS: readonly Attack[] = [
  // ------------------------------------------------------------------------------------------- files
  { name: "reads /etc/passwd", kind: "files", source: action("open('/etc/passwd').read()") },
  {
    name: "lists the home folders",
    kind: "files",
    source: action("assert os.listdir('/home') or os.listdir('/root')"),
  },
  { name: "writes to /tmp", kind: "files", source: action("open('/tmp/escaped', 'w').write('x')") },
  { name: "writes beside itself", kind: "files", source: action("open('escaped', 'w').write('x')") },
  {
    name: "overwrites the runner",
    kind: "files",
    source: action("open('/sandbox/programs.py', 'r+').write('#')"),
  },
  {
    name: "writes where packages are installed",
    kind: "files",
    source: action(
      "import sysconfig",
      "open(os.path.join(sysconfig.get_paths()['purelib'], 'escaped.py'), 'w')",
    ),
  },
  {
    name: "makes a symbolic link",
    kind: "files",
    source: action("os.symlink('/etc/passwd', '/tmp/link')"),
  },
  { name: "makes a hard link", kind: "files", source: action("os.link('/sandbox/server.py', '/tmp/link')") },
  { name: "makes a folder", kind: "files", source: action("os.mkdir('/tmp/folder')") },
  { name: "makes a device", kind: "files", source: action("os.mknod('/tmp/device')") },
  { name: "removes the runner", kind: "files", source: action("os.remove('/sandbox/server.py')") },
  { name: "reads its own process table", kind: "files", source: action("open('/proc/self/maps').read()") },
  {
    name: "reads another process's memory by file",
    kind: "files",
    source: action("open(f'/proc/{os.getppid()}/mem', 'rb').read(1)"),
  },
  { name: "opens the kernel's memory", kind: "files", source: action("open('/dev/mem', 'rb').read(1)") },
  {
    name: "mounts a file system",
    kind: "files",
    source: libc("assert libc.mount(b'none', b'/', b'tmpfs', 0, None) == 0"),
  },
  { name: "changes the root", kind: "files", source: action("os.chroot('/')") },
  { name: "opens for writing by system call", kind: "files", source: syscall(2, "b'/tmp/x'", 0o101, 0o600) },
  { name: "makes a file in memory", kind: "files", source: syscall(319, "b'x'", 0) },
  {
    name: "finds a descriptor that was left open",
    kind: "files",
    source: action(
      "found = False",
      "for fd in range(3, 1024):",
      "    try:",
      "        found = found or len(os.read(fd, 1)) > 0",
      "    except OSError:",
      "        pass",
      "assert found",
    ),
  },
  {
    name: "opens for writing by a newer system call",
    kind: "files",
    source: syscall(437, -100, "b'/tmp/x'", "(ctypes.c_uint64 * 3)(0o101, 0o600, 0)", 24),
  },
  { name: "copies a mount by descriptor", kind: "files", source: syscall(428, -100, "b'/'", 1) },
  {
    name: "asks for a handle that opens without a path",
    kind: "files",
    source: syscall(
      303,
      -100,
      "b'/'",
      "ctypes.create_string_buffer(b'\\x80' + bytes(255))",
      "ctypes.create_string_buffer(8)",
      0,
    ),
  },
  {
    name: "changes the runner's mode",
    kind: "files",
    source: action("os.chmod('/sandbox/server.py', 0o777)"),
  },
  {
    name: "reads a file in a home folder",
    kind: "files",
    source: action(
      "found = [f'{home}/{name}' for home in ('/root', '/home', os.path.expanduser('~')) if os.path.isdir(home) for name in os.listdir(home)]",
      "open(next(path for path in found if os.path.isfile(path))).read()",
    ),
  },
  // ----------------------------------------------------------------------------------------- network
  {
    name: "connects to this machine",
    kind: "network",
    source: action(
      "import socket",
      "socket.create_connection(('127.0.0.1', int(os.environ.get('PORT', '80'))), 1)",
    ),
  },
  {
    name: "asks a name server",
    kind: "network",
    source: action("import socket", "socket.getaddrinfo('example.org', 80)"),
  },
  {
    name: "sends a datagram",
    kind: "network",
    source: action(
      "import socket",
      "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
    ),
  },
  {
    name: "fetches a page",
    kind: "network",
    source: action("import urllib.request", "urllib.request.urlopen('http://127.0.0.1', timeout=1)"),
  },
  {
    name: "opens a pair of sockets",
    kind: "network",
    source: action("import socket", "socket.socketpair()"),
  },
  { name: "sets up io_uring", kind: "network", source: syscall(425, 8, "ctypes.create_string_buffer(256)") },
  {
    name: "leaves a key in the kernel",
    kind: "network",
    source: syscall(248, "b'user'", "b'name'", "b'value'", 5, -3),
  },
  { name: "shares memory by a key", kind: "network", source: syscall(29, 42, 4096, 0o1666) },
  {
    name: "opens a queue of messages",
    kind: "network",
    source: syscall(240, "b'queue'", 0o102, 0o666, "None"),
  },
  // --------------------------------------------------------------------------------------- processes
  {
    name: "fork bomb",
    kind: "processes",
    source: action("while True:", "    if os.fork() == 0:", "        continue"),
  },
  {
    name: "starts threads",
    kind: "processes",
    source: action("import threading", "threading.Thread(target=lambda: None).start()"),
  },
  {
    name: "starts a program",
    kind: "processes",
    source: action("import subprocess, sys", "subprocess.run([sys.executable, '-c', ''])"),
  },
  {
    name: "becomes another program",
    kind: "processes",
    source: action("import sys", "os.execv(sys.executable, [sys.executable, '-c', ''])"),
  },
  { name: "clones by system call", kind: "processes", source: syscall(56, 17, 0, 0, 0, 0) },
  {
    name: "clones by clone3",
    kind: "processes",
    source: syscall(435, "ctypes.create_string_buffer(88)", 88),
  },
  { name: "kills its parent", kind: "processes", source: action("os.kill(os.getppid(), 9)") },
  { name: "kills everything", kind: "processes", source: action("os.kill(-1, 9)") },
  {
    name: "has a descriptor's owner killed",
    kind: "processes",
    source: action("import fcntl", "fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())"),
  },
  {
    name: "traces its parent",
    kind: "processes",
    source: libc("assert libc.ptrace(16, os.getppid(), 0, 0) == 0"),
  },
  {
    name: "reads its parent's memory",
    kind: "processes",
    source: syscall(310, "os.getppid()", 0, 0, 0, 0, 0),
  },
  {
    name: "takes its parent's processor time away",
    kind: "processes",
    source: action("import resource", "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))"),
  },
  {
    name: "raises its own limits",
    kind: "processes",
    source: action("import resource", "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
  },
  { name: "becomes another user", kind: "processes", source: action("os.setuid(0)") },
  { name: "makes a user namespace", kind: "processes", source: syscall(272, 0x10000000) },
  { name: "holds on to its parent", kind: "processes", source: syscall(434, "os.getppid()", 0) },
  { name: "sets the clock", kind: "processes", source: action("import time", "time.clock_settime(0, 0)") },
  {
    name: "calls the kernel in 32 bits",
    kind: "processes",
    source: libc(
      "import mmap",
      "page = mmap.mmap(-1, 4096, prot=7)",
      "# push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret",
      "page.write(bytes([0x53, 0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0x5B, 0xC3]))",
      "code = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))",
      "assert code() > 0",
    ),
  },
  { name: "calls the kernel by its x32 numbers", kind: "processes", source: syscall(0x40000000 + 39) },
  {
    name: "becomes another program by descriptor",
    kind: "processes",
    source: syscall(322, "os.open(__import__('sys').executable, os.O_RDONLY)", "b''", "None", "None", 0x1000),
  },
  {
    name: "signals a thread of its parent",
    kind: "processes",
    source: syscall(234, "os.getppid()", "os.getppid()", 0),
  },
  {
    name: "becomes the judge of system calls",
    kind: "processes",
    source: libc(
      "allow = ctypes.create_string_buffer(bytes([6, 0, 0, 0, 0, 0, 255, 127]), 8)",
      "class Program(ctypes.Structure):",
      "    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]",
      "program = Program(1, ctypes.addressof(allow))",
      "assert libc.syscall(317, 1, 8, ctypes.byref(program)) >= 0",
    ),
  },
  {
    name: "loads a program into the kernel",
    kind: "processes",
    source: syscall(
      321,
      0,
      "ctypes.create_string_buffer(bytes([2, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1]), 128)",
      128,
    ),
  },
  { name: "handles its own page faults", kind: "processes", source: syscall(323, 1) },
  {
    name: "takes a place before everyone else",
    kind: "processes",
    source: action("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"),
  },
  // --------------------------------------------------------------------------------------- resources
  { name: "takes ten gigabytes", kind: "resources", source: action("len(bytes(10 * 2**30))") },
  {
    name: "takes memory bit by bit",
    kind: "resources",
    source: action("held = []", "while True:", "    held.append(bytes(2**20))"),
  },
  {
    name: "never ends",
    kind: "resources",
    source: "def simple_math_problem():\n    while True:\n        pass\n",
  },
  {
    name: "never ends inside one operation",
    kind: "resources",
    source: "def simple_math_problem():\n    return 42 if 9 ** (10 ** 8) else 42\n",
  },
  {
    name: "never ends in a regular expression",
    kind: "resources",
    source: "import re\ndef simple_math_problem():\n    re.match('(a*)*b', 'a' * 40)\n    return 42\n",
  },
  {
    name: "sleeps",
    kind: "resources",
    source: "import time\ndef simple_math_problem():\n    time.sleep(1000)\n    return 42\n",
  },
  {
    name: "puts the alarm off and never ends",
    kind: "resources",
    source:
      "import signal\ndef simple_math_problem():\n    signal.setitimer(signal.ITIMER_REAL, 0)\n    for name in (14, 24):\n        signal.signal(name, signal.SIG_IGN)\n    while True:\n        pass\n",
  },
  {
    name: "recurses without end",
    kind: "resources",
    source:
      "import sys\nsys.setrecursionlimit(10**9)\ndef simple_math_problem():\n    return simple_math_problem() + 1\n",
  },
  {
    name: "nests source without end",
    kind: "resources",
    source: action("eval('(' * 10**5 + ')' * 10**5)"),
  },
  {
    name: "crashes the interpreter",
    kind: "resources",
    source: "import ctypes\ndef simple_math_problem():\n    ctypes.string_at(0)\n    return 42\n",
  },
  {
    name: "answers without end",
    kind: "resources",
    source:
      "import os\ndef simple_math_problem():\n    while True:\n        for fd in range(3, 8):\n            try:\n                os.write(fd, b'[' * 2**16)\n            except OSError:\n                pass\n",
  },
  {
    name: "answers with a deep value",
    kind: "resources",
    source:
      "def simple_math_problem():\n    value = []\n    for _ in range(10**5):\n        value = [value]\n    return value\n",
  },
  {
    name: "answers with a huge number",
    kind: "resources",
    source: "def simple_math_problem():\n    return 1 << (8 * 10**6)\n",
  },
  {
    name: "maps memory that it never touches",
    kind: "resources",
    source: action("import mmap", "mmap.mmap(-1, 10 * 2**30)"),
  },
  {
    name: "prints without end",
    kind: "resources",
    source: "def simple_math_problem():\n    while True:\n        print('x' * 2**20)\n",
  },
  {
    name: "fails with an error that never ends",
    kind: "resources",
    source: [
      "class Endless(Exception):",
      "    def __str__(self):",
      "        while True:",
      "            pass",
      "def simple_math_problem():",
      "    raise Endless",
    ].join("\n"),
  },
  {
    name: "closes every descriptor",
    kind: "resources",
    source: "import os\nos.closerange(0, 4096)\ndef simple_math_problem():\n    return None\n",
  },
  // ----------------------------------------------------------------------------------------- forgery
  {
    name: "prints the verdict",
    kind: "forgery",
    source:
      "def simple_math_problem():\n    print('passed')\n    print('{\"passed\": true}')\n    return None\n",
  },
  {
    name: "writes the verdict to every descriptor",
    kind: "forgery",
    source: [
      "import os, struct",
      "def simple_math_problem():",
      "    for text in (b'{\"passed\": true}', b'{\"correct\": true}'):",
      "        for fd in range(1, 64):",
      "            try:",
      "                os.write(fd, struct.pack('>I', len(text)) + text)",
      "            except OSError:",
      "                pass",
      "        os._exit(0)",
    ].join("\n"),
  },
  {
    name: "exits before the tests",
    kind: "forgery",
    source: "raise SystemExit(0)\ndef simple_math_problem():\n    return None\n",
  },
  {
    name: "ends the process at once",
    kind: "forgery",
    source: "import os\ndef simple_math_problem():\n    os._exit(0)\n",
  },
  {
    name: "writes the verdict when the interpreter ends",
    kind: "forgery",
    source: [
      "import atexit, os, struct",
      "def forge():",
      "    text = b'{\"passed\": true}'",
      "    os.write(3, struct.pack('>I', len(text)) + text)",
      "atexit.register(forge)",
      "def simple_math_problem():",
      "    raise SystemExit(0)",
    ].join("\n"),
  },
  {
    name: "returns an object that equals everything",
    kind: "forgery",
    source:
      "class Any:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return True\ndef simple_math_problem():\n    return Any()\n",
  },
  {
    name: "returns an object whose comparison is true",
    kind: "forgery",
    source: [
      "class Yes:",
      "    def __bool__(self):",
      "        return True",
      "class Any:",
      "    __eq__ = __ne__ = __lt__ = __le__ = lambda self, other: Yes()",
      "def simple_math_problem():",
      "    return Any()",
    ].join("\n"),
  },
  {
    name: "returns a subclass of int",
    kind: "forgery",
    source:
      "class Int(int):\n    __eq__ = __ne__ = lambda self, other: True\n    __hash__ = int.__hash__\ndef simple_math_problem():\n    return Int(7)\n",
  },
  {
    name: "returns a subclass of float",
    kind: "forgery",
    source:
      "class Float(float):\n    __eq__ = __ne__ = lambda self, other: True\n    __sub__ = __rsub__ = lambda self, other: 0.0\n    __hash__ = float.__hash__\ndef simple_math_problem():\n    return Float(7.5)\n",
    test: "def check(candidate):\n    assert abs(candidate() - 42) < 1e-6\n",
  },
  {
    name: "returns a subclass of str",
    kind: "forgery",
    source:
      "class Str(str):\n    __eq__ = __ne__ = lambda self, other: True\n    __hash__ = str.__hash__\ndef simple_math_problem():\n    return Str('7')\n",
    test: "def check(candidate):\n    assert candidate() == '42'\n",
  },
  {
    name: "replaces a built-in of the tests",
    kind: "forgery",
    source: "import builtins\nbuiltins.abs = lambda value: 0\ndef simple_math_problem():\n    return 7\n",
    test: "def check(candidate):\n    assert abs(candidate() - 42) < 1e-6\n",
  },
  {
    name: "replaces a module of the tests",
    kind: "forgery",
    source: [
      "import sys, types",
      "fake = types.ModuleType('math')",
      "fake.isclose = lambda a, b: True",
      "sys.modules['math'] = fake",
      "def simple_math_problem():",
      "    return 7",
    ].join("\n"),
    test: "import math\ndef check(candidate):\n    assert math.isclose(candidate(), 42)\n",
  },
  {
    name: "hooks the imports of the tests",
    kind: "forgery",
    source: [
      "import sys, types, importlib.abc, importlib.machinery",
      "class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):",
      "    def find_spec(self, name, path=None, target=None):",
      "        return importlib.machinery.ModuleSpec(name, self) if name == 'colorsys' else None",
      "    def exec_module(self, module):",
      "        module.rgb_to_hsv = lambda r, g, b: (r, g, 42)",
      "sys.meta_path.insert(0, Hook())",
      "def simple_math_problem():",
      "    return 7",
    ].join("\n"),
    test: "import colorsys\ndef check(candidate):\n    assert colorsys.rgb_to_hsv(candidate(), 7, 7)[2] == 42\n",
  },
  {
    name: "replaces a helper that the tests use",
    kind: "forgery",
    source: "def helper(value):\n    return 42\ndef simple_math_problem():\n    return 7\n",
    test: "def check(candidate):\n    assert helper(candidate()) == 42\n",
  },
  {
    name: "makes the tests jump over their assertions",
    kind: "forgery",
    source: [
      "import sys",
      "def lines(frame, event, argument):",
      "    if event == 'line':",
      "        try:",
      "            frame.f_lineno = frame.f_code.co_firstlineno + 3",
      "        except ValueError:",
      "            pass",
      "    return lines",
      "sys.settrace(lambda frame, event, argument: lines if frame.f_code.co_name == 'check' else None)",
      "def simple_math_problem():",
      "    return 7",
    ].join("\n"),
  },
  {
    name: "finds the answer in the frames of its callers",
    kind: "forgery",
    source: [
      "def simple_math_problem():",
      "    def walk():",
      "        yield me.gi_frame.f_back",
      "    me = walk()",
      "    for frame in me:",
      "        while frame is not None:",
      "            answer = frame.f_locals.get('answer')",
      "            if answer.__class__ is str:",
      "                return answer",
      "            frame = frame.f_back",
      "    return None",
    ].join("\n"),
  },
  {
    name: "replaces the comparison through a function it was given",
    kind: "forgery",
    source: [
      "names = print.__globals__",
      "for name in str(' ').join(names).split():",
      "    if 'to_number' in name:",
      "        names[name] = lambda *values: 42",
      "def simple_math_problem():",
      "    return 7",
    ].join("\n"),
  },
  {
    name: "reaches a module through the subclasses of object",
    kind: "forgery",
    source: [
      "def simple_math_problem():",
      "    for kind in ().__class__.__base__.__subclasses__():",
      "        if kind.__name__ == '_wrap_close':",
      "            kind.__init__.__globals__['system']('true')",
      "            return 42 if kind.__init__.__globals__['system']('true') == 0 else 0",
      "    return 0",
    ].join("\n"),
  },
  {
    name: "searches memory for the tests",
    kind: "forgery",
    source: [
      "import gc, sys",
      "def simple_math_problem():",
      "    seen = [value for thing in gc.get_objects() if type(thing) is dict for value in thing.values()]",
      "    frame = sys._getframe()",
      "    while frame is not None:",
      "        seen += frame.f_locals.values()",
      "        frame = frame.f_back",
      "    for value in seen:",
      "        if type(value) is str and 'candidate() == ' + '42' in value:",
      "            return 42",
      "    return 0",
    ].join("\n"),
  },
  {
    name: "answers before it is asked",
    kind: "forgery",
    source: [
      "import os, struct",
      "for text in (b'{\"ready\": true}', b'{\"value\": true}', b'{\"value\": true}'):",
      "    for fd in (3, 4):",
      "        try:",
      "            os.write(fd, struct.pack('>I', len(text)) + text)",
      "        except OSError:",
      "            pass",
      "def simple_math_problem():",
      "    return True",
    ].join("\n"),
  },
  {
    name: "ends the loop of the tests",
    kind: "forgery",
    source: "def simple_math_problem():\n    raise StopIteration\n",
    test: "def check(candidate):\n    for got in map(lambda _: candidate(), range(3)):\n        assert got == 42\n",
  },
  {
    name: "lies about its class",
    kind: "forgery",
    source: [
      "class Any:",
      "    __class__ = property(lambda self: int)",
      "    __int__ = __index__ = lambda self: 7",
      "    def __eq__(self, other):",
      "        return True",
      "def simple_math_problem():",
      "    return Any()",
    ].join("\n"),
    test: "def check(candidate):\n    assert isinstance(candidate(), int) and candidate() == 42\n",
  },
  {
    name: "changes the comparison of int in memory",
    kind: "forgery",
    source: [
      "import ctypes",
      "COMPARE = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int)",
      "always = COMPARE(lambda first, second, how: True)",
      "def simple_math_problem():",
      "    slots = (ctypes.c_void_p * 40).from_address(id(int))",
      "    # tp_richcompare",
      "    slots[25] = ctypes.cast(always, ctypes.c_void_p).value",
      "    return 7",
    ].join("\n"),
  },
]
