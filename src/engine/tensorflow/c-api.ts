/**
 * The functions of TensorFlow's C API that the executor calls (tensorflow/c/c_api.h, tensorflow/c/eager/c_api.h),
 * bound with koffi. Pointers are bigints; every object made here is released by its caller.
 */
import { closeSync, openSync } from "node:fs"
import { loadFfi, type LibraryHandle } from "./ffi.js"
import type { TensorflowLibrary } from "./find-library.js"

export type Pointer = bigint

/** `TF_Code`: the values that are told apart. */
export const StatusCode = { ok: 0, invalidArgument: 3, resourceExhausted: 8 } as const

/** Bytes of native stack for a call: graph optimisation and XLA recurse deeply. */
const STACK_BYTES = 16 * 2 ** 20

type Bytes = Uint8Array | BigUint64Array | BigInt64Array

export interface TensorflowApi {
  readonly version: string
  readonly TF_NewStatus: () => Pointer
  readonly TF_DeleteStatus: (status: Pointer) => void
  readonly TF_GetCode: (status: Pointer) => number
  readonly TF_Message: (status: Pointer) => string
  readonly TF_NewBufferFromString: (bytes: Bytes, length: number) => Pointer
  readonly TF_DeleteBuffer: (buffer: Pointer) => void
  readonly TF_NewGraph: () => Pointer
  readonly TF_DeleteGraph: (graph: Pointer) => void
  readonly TF_NewImportGraphDefOptions: () => Pointer
  readonly TF_DeleteImportGraphDefOptions: (options: Pointer) => void
  readonly TF_GraphImportGraphDef: (
    graph: Pointer,
    graphDef: Pointer,
    options: Pointer,
    status: Pointer,
  ) => void
  readonly TF_GraphOperationByName: (graph: Pointer, name: string) => Pointer | null
  readonly TF_GraphToFunction: (
    graph: Pointer,
    name: string,
    appendHash: number,
    operations: number,
    operationList: null,
    inputs: number,
    inputList: Bytes,
    outputs: number,
    outputList: Bytes,
    outputNames: null,
    options: null,
    description: null,
    status: Pointer,
  ) => Pointer
  readonly TF_DeleteFunction: (fn: Pointer) => void
  readonly TF_AllocateTensor: (type: number, dims: Bytes, rank: number, bytes: number) => Pointer | null
  readonly TF_TensorData: (tensor: Pointer) => Pointer
  readonly TF_TensorByteSize: (tensor: Pointer) => number
  readonly TF_DeleteTensor: (tensor: Pointer) => void
  readonly TF_DeleteDeviceList: (list: Pointer) => void
  readonly TF_DeviceListCount: (list: Pointer) => number
  readonly TF_DeviceListName: (list: Pointer, index: number, status: Pointer) => string
  readonly TF_DeviceListType: (list: Pointer, index: number, status: Pointer) => string
  readonly TFE_NewContextOptions: () => Pointer
  readonly TFE_ContextOptionsSetConfig: (
    options: Pointer,
    proto: Bytes,
    length: number,
    status: Pointer,
  ) => void
  readonly TFE_DeleteContextOptions: (options: Pointer) => void
  readonly TFE_NewContext: (options: Pointer, status: Pointer) => Pointer
  readonly TFE_DeleteContext: (context: Pointer) => void
  readonly TFE_ContextListDevices: (context: Pointer, status: Pointer) => Pointer
  readonly TFE_ContextAddFunction: (context: Pointer, fn: Pointer, status: Pointer) => void
  readonly TFE_ContextAddFunctionDef: (
    context: Pointer,
    definition: Uint8Array,
    size: number,
    status: Pointer,
  ) => void
  readonly TFE_ContextRemoveFunction: (context: Pointer, name: string, status: Pointer) => void
  readonly TFE_NewTensorHandle: (tensor: Pointer, status: Pointer) => Pointer
  readonly TFE_DeleteTensorHandle: (handle: Pointer) => void
  readonly TFE_TensorHandleResolve: (handle: Pointer, status: Pointer) => Pointer
  readonly TFE_NewOp: (context: Pointer, name: string, status: Pointer) => Pointer
  readonly TFE_DeleteOp: (op: Pointer) => void
  readonly TFE_OpSetDevice: (op: Pointer, device: string, status: Pointer) => void
  readonly TFE_OpAddInput: (op: Pointer, handle: Pointer, status: Pointer) => void
  readonly TFE_OpSetAttrBool: (op: Pointer, name: string, value: number) => void
  readonly TFE_OpSetAttrString: (op: Pointer, name: string, value: Bytes, length: number) => void
  /** Runs on a thread of its own; `results` and `count` are native memory. */
  readonly TFE_Execute: (op: Pointer, results: Pointer, count: Pointer, status: Pointer) => Promise<void>
  /** Native memory as an array that must not be used after `free`. */
  readonly allocate: (bytes: number) => {
    readonly pointer: Pointer
    readonly view: ArrayBuffer
    readonly free: () => void
  }
  /** Runs a call with the library's notes kept off stderr; they come back with TF_CPP_MIN_LOG_LEVEL set to 0 or 1. */
  readonly quietly: <T>(call: () => T) => T
  /** A copy of native memory into an array, or back. */
  readonly copyOut: (target: ArrayBufferView, source: Pointer, bytes: number) => void
  readonly copyIn: (target: Pointer, source: ArrayBufferView, bytes: number) => void
}

const SIGNATURES = [
  "void *TF_NewStatus()",
  "void TF_DeleteStatus(void *status)",
  "int TF_GetCode(void *status)",
  "const char *TF_Message(void *status)",
  "void *TF_NewBufferFromString(const void *bytes, size_t length)",
  "void TF_DeleteBuffer(void *buffer)",
  "void *TF_NewGraph()",
  "void TF_DeleteGraph(void *graph)",
  "void *TF_NewImportGraphDefOptions()",
  "void TF_DeleteImportGraphDefOptions(void *options)",
  "void TF_GraphImportGraphDef(void *graph, void *graphDef, void *options, void *status)",
  "void *TF_GraphOperationByName(void *graph, const char *name)",
  "void *TF_GraphToFunction(void *graph, const char *name, uint8_t appendHash, int operations, void *operationList, int inputs, const void *inputList, int outputs, const void *outputList, void *outputNames, void *options, void *description, void *status)",
  "void TF_DeleteFunction(void *fn)",
  "void *TF_AllocateTensor(int type, const void *dims, int rank, size_t bytes)",
  "void *TF_TensorData(void *tensor)",
  "size_t TF_TensorByteSize(void *tensor)",
  "void TF_DeleteTensor(void *tensor)",
  "void TF_DeleteDeviceList(void *list)",
  "int TF_DeviceListCount(void *list)",
  "const char *TF_DeviceListName(void *list, int index, void *status)",
  "const char *TF_DeviceListType(void *list, int index, void *status)",
  "void *TFE_NewContextOptions()",
  "void TFE_ContextOptionsSetConfig(void *options, const void *proto, size_t length, void *status)",
  "void TFE_DeleteContextOptions(void *options)",
  "void *TFE_NewContext(void *options, void *status)",
  "void TFE_DeleteContext(void *context)",
  "void *TFE_ContextListDevices(void *context, void *status)",
  "void TFE_ContextAddFunction(void *context, void *fn, void *status)",
  "void TFE_ContextAddFunctionDef(void *context, const void *definition, size_t size, void *status)",
  "void TFE_ContextRemoveFunction(void *context, const char *name, void *status)",
  "void *TFE_NewTensorHandle(void *tensor, void *status)",
  "void TFE_DeleteTensorHandle(void *handle)",
  "void *TFE_TensorHandleResolve(void *handle, void *status)",
  "void *TFE_NewOp(void *context, const char *name, void *status)",
  "void TFE_DeleteOp(void *op)",
  "void TFE_OpSetDevice(void *op, const char *device, void *status)",
  "void TFE_OpAddInput(void *op, void *handle, void *status)",
  "void TFE_OpSetAttrBool(void *op, const char *name, uint8_t value)",
  "void TFE_OpSetAttrString(void *op, const char *name, const void *value, size_t length)",
] as const

let configured = false

/** RTLD_NOW | RTLD_NODELETE of <dlfcn.h>, by platform. */
const NO_DELETE: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 0x1002, darwin: 0x82 }

/**
 * Keeps the library mapped until the process is gone. Node closes it on the way out while its threads still
 * run, which ends a process that did everything right with a segmentation fault.
 */
const keepLoaded = (c: LibraryHandle, path: string): void => {
  const flags = NO_DELETE[process.platform]
  if (flags === undefined) return
  const open = c.func("void *dlopen(const char *path, int flags)") as (path: string, flags: number) => unknown
  open(path, flags)
}

/** Opens the library. @throws Error from the loader or for a missing function; ExecutorError without the FFI */
export const openApi = async (library: Pick<TensorflowLibrary, "path">): Promise<TensorflowApi> => {
  const ffi = loadFfi()
  if (!configured) {
    ffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES, resident_async_pools: 1 })
    configured = true
  }
  // Read by the library when it is loaded.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2"
  // Each context has threads of its own; otherwise the first one's number holds for all.
  process.env["TF_OVERRIDE_GLOBAL_THREADPOOL"] ??= "1"
  const c = ffi.load(process.platform === "win32" ? "msvcrt.dll" : null)
  const quietly =
    Number(process.env["TF_CPP_MIN_LOG_LEVEL"]) < 2 ? <T>(call: () => T): T => call() : silencer(c)
  const lib = quietly(() => ffi.load(library.path))
  keepLoaded(c, library.path)
  const bound: Record<string, unknown> = {}
  for (const signature of SIGNATURES) {
    const name = /(\w+)\(/.exec(signature)![1]!
    bound[name] = lib.func(signature)
  }
  const version = lib.func("const char *TF_Version()") as () => string
  const execute = lib.func("void TFE_Execute(void *op, void *results, void *count, void *status)")
  const memcpy = c.func("void *memcpy(void *target, const void *source, size_t bytes)") as (
    target: Pointer | ArrayBufferView,
    source: Pointer | ArrayBufferView,
    bytes: number,
  ) => Pointer
  return {
    ...(bound as unknown as Omit<
      TensorflowApi,
      "version" | "TFE_Execute" | "quietly" | "allocate" | "copyOut" | "copyIn"
    >),
    version: version(),
    TFE_Execute: (op, results, count, status) =>
      new Promise((resolve, reject) => {
        execute.async(op, results, count, status, (error: unknown) => {
          if (error === null || error === undefined) resolve()
          else reject(error instanceof Error ? error : new Error(String(error)))
        })
      }),
    quietly,
    allocate: (bytes) => {
      const pointer = ffi.alloc("uint8_t", bytes) as Pointer
      return { pointer, view: ffi.view(pointer, bytes), free: () => ffi.free(pointer) }
    },
    copyOut: (target, source, bytes) => {
      memcpy(target, source, bytes)
    },
    copyIn: (target, source, bytes) => {
      memcpy(target, source, bytes)
    },
  }
}

/**
 * Some notes are written before the library's log level counts, so standard error itself is turned away while a
 * call runs. Only for short synchronous calls.
 */
const silencer = (c: LibraryHandle): TensorflowApi["quietly"] => {
  if (process.platform === "win32") return (call) => call()
  const dup = c.func("int dup(int from)") as (from: number) => number
  const dup2 = c.func("int dup2(int from, int to)") as (from: number, to: number) => number
  return (call) => {
    const nowhere = openSync("/dev/null", "w")
    const kept = dup(2)
    dup2(nowhere, 2)
    try {
      return call()
    } finally {
      dup2(kept, 2)
      closeSync(kept)
      closeSync(nowhere)
    }
  }
}
