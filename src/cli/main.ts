/** Composition root: the command tree, help, errors and exit codes. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeChildProcessSpawner from "@effect/platform-node-shared/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import { commands } from "./commands/index.js"
import { visible } from "../spec/visible.js"
import { packageRoot } from "../app/locate.js"
import { ExitWith, type ExitCode } from "../app/outcome.js"

export const version = (
  JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { readonly version: string }
).version

const root = Command.make("repro").pipe(
  Command.withDescription(
    "Re-run published diffusion-language-model experiments, and say what each number means.\n\n" +
      "Exit codes: 0 ok, 1 failed, 2 usage or invalid spec, 3 differs or incomplete.",
  ),
  Command.withExamples([
    {
      command: "repro run specs/mdlm_eos.json",
      description: "Run an experiment and print its results table",
    },
    { command: "repro plan mdlm_eos --profile laptop", description: "See what would be run, at what cost" },
    { command: "repro doctor", description: "See what this machine can run" },
  ]),
  Command.withSubcommands(commands),
)

/** Node's file system, path, terminal, processes and standard streams. */
export const platform = NodeChildProcessSpawner.layer.pipe(
  Layer.provideMerge(
    Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeStdio.layer, NodeTerminal.layer),
  ),
)

const EXIT_CODES: Readonly<Record<string, ExitCode>> = { SpecError: 2, UsageError: 2, ClaimError: 2 }

/** The exit code of an error: its own `exitCode`, else by its name, else 1. */
export const exitCodeOf = (error: unknown): ExitCode => {
  if (!(error instanceof Error)) return 1
  const own = "exitCode" in error ? error.exitCode : undefined
  if (own === 0 || own === 1 || own === 2 || own === 3) return own
  return EXIT_CODES[error.name] ?? 1
}

/** An error as a person reads it: its message; the stack too when REPRO_DEBUG is set or the error is ours to mend. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return visible(`repro: ${String(error)}`)
  const ours = ["TypeError", "RangeError", "ReferenceError"].includes(error.name)
  const text = ours || process.env["REPRO_DEBUG"] ? (error.stack ?? error.message) : error.message
  return visible(`repro: ${text}`)
}

/**
 * Runs the command line and gives its exit code.
 *
 * The library prints help on the log whether it was asked for or caused by a wrong use. Here help that was asked for is
 * data, and a wrong use goes to standard error with the usage line alone.
 */
export const run = (args: readonly string[]) =>
  Effect.gen(function* () {
    const console = yield* Console.Console
    const formatter = yield* CliOutput.Formatter
    let help: { readonly text: string; readonly usage: string } | undefined
    const held = {
      ...console,
      log: (...items: readonly unknown[]) => {
        if (items.length === 1 && items[0] === help?.text) return
        console.log(...items)
      },
    }
    const outcome = yield* Command.runWith(root, { version, renderErrors: false })(args).pipe(
      Effect.as<ExitCode>(0),
      Effect.provideService(Console.Console, held as Console.Console),
      Effect.provideService(CliOutput.Formatter, {
        ...formatter,
        formatHelpDoc: (doc) => {
          help = { text: formatter.formatHelpDoc(doc), usage: doc.usage }
          return help.text
        },
      }),
      Effect.catch((error: unknown) =>
        Effect.sync((): ExitCode => {
          if (error instanceof ExitWith) return error.exitCode
          if (CliError.isCliError(error)) {
            if (error._tag !== "ShowHelp") console.error(describe(error))
            else if (error.errors.length > 0) {
              for (const each of error.errors) console.error(visible(`repro: ${each.message.trim()}`))
              console.error(
                `\nUsage: ${help?.usage ?? "repro <command>"}\nTry: ${error.commandPath.join(" ")} --help`,
              )
            } else return 0
            help = undefined
            return 2
          }
          console.error(describe(error))
          return exitCodeOf(error)
        }),
      ),
    )
    if (help !== undefined) console.log(help.text)
    return outcome
  }).pipe(
    Effect.provide(
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
    ),
  )
