/**
 * Runs first in the realm of one interpreter: what Pyodide asks of a JavaScript shell, made of the language alone.
 *
 * Nothing here is an object of Node, so there is no way from a guest to Node: no process, no module, no socket, no
 * timer. Files are kept in the memory of the realm and cannot be changed once the guest runs.
 */
"use strict"
function ignore() {}

function textOf(bytes) {
  let escaped = ""
  for (const byte of bytes) escaped += `%${(256 + byte).toString(16).slice(1)}`
  return decodeURIComponent(escaped)
}

{
  const realm = globalThis
  const files = Object.create(null)
  const fail = (...words) => {
    throw new Error(words.join(" "))
  }
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  const { Uint8Array, Error, Math, Date, Promise, Object: Objects, String: Strings } = realm
  const grow = WebAssembly.Memory.prototype.grow
  const { compile, instantiate } = WebAssembly
  const PAGE = 65536
  let most = 2 ** 31
  let taken

  const utf8 = (text) => {
    const escaped = encodeURIComponent(text)
    const bytes = []
    for (let i = 0; i < escaped.length; i++)
      if (escaped[i] === "%") {
        bytes.push(parseInt(escaped.slice(i + 1, i + 3), 16))
        i += 2
      } else bytes.push(escaped.charCodeAt(i))
    return Uint8Array.from(bytes)
  }

  Objects.assign(realm, {
    console: { log: ignore, warn: fail, error: fail, debug: ignore, info: ignore },
    performance: { now: () => Date.now() },
    print: ignore,
    printErr: ignore,
    setTimeout: (call, wait = 0) => (wait > 1 ? 0 : (Promise.resolve().then(call), 0)),
    clearTimeout: ignore,
    load: () => {
      throw new Error("nothing is loaded")
    },
    read: () => {
      throw new Error("nothing is read")
    },
    readbuffer: (path) => files[path.split("/").at(-1)].buffer,
    /** Pyodide asks a shell for random bytes by a command: so many, in base 64. */
    os: {
      system: (_shell, [, command]) => {
        const bytes = Number(/head -c(\d+)/.exec(command)[1])
        let text = ""
        for (let i = 0; i < Math.ceil((bytes * 4) / 3); i++) text += digits[Math.floor(Math.random() * 64)]
        return text.padEnd(Math.ceil(bytes / 3) * 4, "=")
      },
    },
    TextEncoder: class {
      encode(text) {
        return utf8(Strings(text))
      }
      encodeInto(text, into) {
        const bytes = utf8(Strings(text))
        into.set(bytes)
        return { read: text.length, written: bytes.length }
      }
    },
    TextDecoder: class {
      constructor(label = "utf-8") {
        this.wide = label.startsWith("utf-16")
      }
      decode(bytes) {
        if (!this.wide) return textOf(bytes)
        let text = ""
        for (let i = 0; i + 1 < bytes.length; i += 2)
          text += Strings.fromCharCode(bytes[i] + 256 * bytes[i + 1])
        return text
      }
    },
  })

  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE > most) throw new RangeError("the limit of memory")
    return grow.call(this, pages)
  }

  /** What the host lays down for the realm is copied, and its objects are let go. */
  const take = (names) => {
    const found = {}
    for (const name of names) {
      found[name] = realm[name]
      delete realm[name]
    }
    return found
  }

  /** Of open(2): for writing, for both, created, emptied, added to. */
  const CHANGES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000

  const refuseChanges = ({ FS, SOCKFS, ERRNO_CODES }) => {
    const refused = () => {
      throw new FS.ErrnoError(ERRNO_CODES.EROFS)
    }
    // Folders that Pyodide makes and nobody needs.
    FS.chdir("/")
    for (const home of FS.readdir("/home")) if (!home.startsWith(".")) FS.rmdir(`/home/${home}`)
    const { ops_table: kinds } = FS.filesystems.MEMFS
    for (const kind of Objects.values(kinds)) {
      for (const name of ["mknod", "rename", "unlink", "rmdir", "symlink", "setattr"])
        if (kind.node?.[name] !== undefined) kind.node[name] = refused
      for (const name of ["write", "mmap", "msync", "allocate"])
        if (kind.stream?.[name] !== undefined) kind.stream[name] = refused
    }
    for (const name of ["mount", "unmount", "mkdev"]) if (FS[name] !== undefined) FS[name] = refused
    const { open } = FS
    FS.open = (path, flags, mode) => (Number(flags) & CHANGES ? refused() : open.call(FS, path, flags, mode))
    SOCKFS.createSocket = refused
  }

  /** Starts the interpreter: from a snapshot of its memory, or anew to make one. */
  realm.begin = async () => {
    const { createModule, loadPyodide, library, binary, snapshot, lock } = take([
      "createModule",
      "loadPyodide",
      "library",
      "binary",
      "snapshot",
      "lock",
    ])
    // Of this realm, and no longer of the host's.
    const module = Objects.setPrototypeOf(binary, WebAssembly.Module.prototype)
    files["python_stdlib.zip"] = Uint8Array.from(library)
    // Asked for by name, used by nobody: the module is compiled already.
    files["pyodide.asm.wasm"] = new Uint8Array(2 ** 16)
    WebAssembly.instantiate = (source, imports) =>
      source.length === 2 ** 16
        ? instantiate(module, imports).then((instance) => ({ module, instance }))
        : instantiate(source, imports)
    taken = await loadPyodide({
      indexURL: "/pyodide/",
      jsglobals: Objects.create(null),
      createPyodideModule: createModule,
      lockFileContents: JSON.parse(lock),
      stdin: () => null,
      stdout: ignore,
      stderr: ignore,
      ...(snapshot === undefined ? { _makeSnapshot: true } : { _loadSnapshot: snapshot }),
    })
    WebAssembly.instantiate = instantiate
    WebAssembly.compile = compile
  }

  /** Runs trusted source and gives the memory as it is then. */
  realm.prepare = (sources, first) => {
    for (const [name, source] of Objects.entries(sources)) taken.FS.writeFile(`/home/pyodide/${name}`, source)
    taken.runPython(first)
    return taken.makeMemorySnapshot()
  }

  realm.version = () => taken.globals.get("wasm").VERSION

  /** Nothing more comes in: what is left is to give the interpreter text and to take text from it. */
  realm.settle = (bytes, ask) => {
    const { run, begin, answer, check, lock } = taken.globals.get("wasm")
    lock()
    refuseChanges(taken._module)
    taken = undefined
    for (const name of ["os", "read", "load", "readbuffer", "begin", "prepare", "version", "settle"])
      delete realm[name]
    most = bytes
    realm.python = {
      run: (kind, job) => run(kind, job),
      begin: (job) => begin(job),
      answer: (request) => answer(request),
      check: (job, first) => check(job, first, ask),
    }
  }
}
