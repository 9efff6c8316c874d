/** What `repro doctor` says of the optional executors and the sandbox. */
import { writeFile } from "node:fs/promises"
import t from "tap"
import { sandbox, tensorflow, torch } from "../../src/app/doctor.js"

// PyTorch and TensorFlow take seconds to load on a busy machine.
t.setTimeout(540_000)

/** An interpreter that has PyTorch and answers `version` and whether it sees a GPU. */
const python = async (folder: string, answer: string): Promise<NodeJS.ProcessEnv> => {
  const file = `${folder}/python`
  await writeFile(file, `#!/bin/sh\ncase "$2" in *find_spec*) echo True ;; *) ${answer} ;; esac\n`, {
    mode: 0o755,
  })
  return { PATH: "/usr/bin:/bin", REPRO_PYTHON: file }
}

void t.test("PyTorch: found, blind, too old, broken and absent", async (t) => {
  const folder = t.testdir()
  const said = async (answer: string, there: boolean) => torch(there, await python(folder, answer))
  t.same(await said("echo 2.13.0 True", true), {
    name: "torch",
    needed: "the torch executor (GPU, several machines)",
    status: "ok",
    found: `2.13.0, ${folder}/python, sees a GPU`,
  })
  const blind = await said("echo 2.13.0 False", true)
  t.match(blind, { status: "ok", found: /sees no GPU$/, cure: /^pip install .*torch==2\.13\.0/ })
  t.equal((await said("echo 2.13.0 False", false)).cure, undefined, "no GPU to see: nothing to cure")
  t.match(await said("echo 2.5.1+cpu False", false), {
    status: "absent",
    found: /^2\.5\.1\+cpu of .*, older than 2\.6$/,
    cure: "pip install torch==2.13.0",
  })
  t.match(await said("exit 1", false), { status: "absent", found: /^the PyTorch of .* does not load$/ })
  t.match(await torch(false, { PATH: "/nowhere", REPRO_PYTHON: "/nowhere/python" }), {
    status: "absent",
    found: "no PyTorch in /nowhere/python",
    cure: "pip install torch==2.13.0",
  })
})

void t.test("libtensorflow: what is missing, and the one command", async (t) => {
  t.match(await tensorflow(false, "/nowhere/libtensorflow.so"), {
    status: "absent",
    found: /\/nowhere\/libtensorflow\.so does not exist/,
    cure: "pip install tensorflow-cpu",
  })
  const folder = t.testdir({ "libtensorflow.so.2": "no library" })
  t.match(await tensorflow(false, `${folder}/libtensorflow.so.2`), {
    status: "absent",
    found: /could not be loaded/,
    cure: "pip install tensorflow-cpu",
  })
})

void t.test("the sandbox: there, and what to install where it is not", async (t) => {
  t.match(await sandbox(), { name: "sandbox", status: "ok", found: /^bubblewrap and seccomp, Python 3\.\d+/ })
  t.match(await sandbox({ PATH: "/nowhere", REPRO_PYODIDE: "/nowhere" }), {
    status: "absent",
    found: /bubblewrap is not installed/,
    cure: "sudo apt install bubblewrap python3",
  })
})
