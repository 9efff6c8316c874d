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
import { packageRoot } from "../files/package-files.js"
import { foldFor } from "../app/fold.js"
import { ExitWith, UsageError, type ExitCode } from "../app/outcome.js"
import { asError, describe, errorDocument, exitCodeOf } from "./errors.js"

export const version = (
  JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { readonly version: string }
).version

const root = Command.make("repro").pipe(
  Command.withDescription(
    "Re-run published diffusion-language-model experiments, and say what each number means.\n\n" +
      "Exit codes: 0 ok, 1 failed, 2 usage or invalid spec, 3 differs or incomplete.\n" +
      "`repro help COMMAND` says what a command does.",
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

/** `repro help run` is `repro run --help`; of no command, it is a wrong use of that word. */
const withoutHelpWord = (args: readonly string[]): readonly string[] => {
  const [word, command] = args
  if (word !== "help") return args
  const known = command === undefined || commands.some(({ name }) => name === command)
  return known ? [...args.slice(1), "--help"] : args.slice(1)
}

const asksJson = (args: readonly string[]): boolean => {
  const end = args.indexOf("--")
  return (end < 0 ? args : args.slice(0, end)).includes("--json")
}

/**
 * Runs the command line and gives its exit code.
 *
 * The library prints help on the log whether it was asked for or caused by a wrong use. Here help that was asked for is
 * data, and a wrong use goes to standard error with the usage line alone.
 */
export const run = (given: readonly string[]) => {
  const args = withoutHelpWord(given)
  return Effect.gen(function* () {
    const console = yield* Console.Console
    const formatter = yield* CliOutput.Formatter
    let shown: { readonly text: string; readonly usage: string } | undefined
    const held = {
      ...console,
      log: (...items: readonly unknown[]) => {
        if (items.length === 1 && items[0] === shown?.text) return
        console.log(...items)
      },
    }
    const outcome = yield* Command.runWith(root, { version, renderErrors: false })(args).pipe(
      Effect.as<ExitCode>(0),
      Effect.provideService(Console.Console, held as Console.Console),
      Effect.provideService(CliOutput.Formatter, {
        ...formatter,
        formatHelpDoc: (doc) => {
          shown = { text: formatter.formatHelpDoc(doc), usage: doc.usage }
          return shown.text
        },
      }),
      Effect.catch((error: unknown) =>
        Effect.sync((): ExitCode => {
          if (error instanceof ExitWith) return error.exitCode
          const fail = (code: ExitCode, ...told: readonly Error[]): ExitCode => {
            for (const each of told) console.error(foldFor(process.stderr, describe(each)))
            if (asksJson(args)) console.log(errorDocument(told, code))
            return code
          }
          if (!CliError.isCliError(error)) return fail(exitCodeOf(error), asError(error))
          const help = shown
          if (error._tag !== "ShowHelp") return fail(2, error)
          if (error.errors.length === 0) return 0
          shown = undefined
          fail(2, ...error.errors.map(({ message }) => new UsageError(message.trim())))
          console.error(
            `\nUsage: ${help?.usage ?? "repro <command>"}\nTry: ${error.commandPath.join(" ")} --help`,
          )
          return 2
        }),
      ),
    )
    if (shown !== undefined) console.log(foldFor(process.stdout, shown.text))
    return outcome
  }).pipe(
    Effect.provide(
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
    ),
  )
}
