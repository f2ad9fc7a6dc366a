import { Command, CommanderError } from "commander";
import { CommandFailure } from "./command-failure.ts";
import { addAudit } from "./commands/audit.ts";
import { addKeys } from "./commands/keys.ts";
import { addKeyspaces } from "./commands/keyspaces.ts";
import { addSelf } from "./commands/self.ts";
import { addTenants } from "./commands/tenants.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { createPaint, type Terminal } from "./terminal.ts";

const ABOUT = `
Credentials, of which no argument ever takes one:
  CLAVIS_KEY            a management key; otherwise the file of --key-file, or .clavis/management-key
  CLAVIS_OPERATOR_KEY   the operator's, for tenants; otherwise the file of --key-file, or .clavis/operator-key

Exit codes: 0 done, 1 failed, 2 not understood, 3 keys verify refused the secret.`;

/** The commands that call a service. Those that run one are added by who has them. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command("clavis")
    .description("API keys as a service")
    .addHelpText("after", ABOUT)
    .showHelpAfterError("See --help.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
      outputError: (text, write) => write(withoutArguments(text).replace(/^error:/, nameIn(terminal))),
    });
  program.commandsGroup("Calling a service:");
  addKeyspaces(program, terminal);
  addKeys(program, terminal);
  addAudit(program, terminal);
  addSelf(program, terminal);
  addTenants(program, terminal);
  return program;
}

/** Runs the command that `argv` asks for, and tells people what went wrong. What it throws is a bug. */
export async function runProgram(program: Command, argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await program.parseAsync(argv);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CommandFailure)) throw error;
    if (error.message !== "") terminal.stderr.write(`${nameIn(terminal)} ${error.message}\n`);
    return error.exitCode;
  }
}

/** What every error begins with. */
function nameIn({ stderr }: Terminal): string {
  return createPaint(stderr)("bad", "clavis:");
}

/**
 * What commander says of arguments that it cannot place, without the arguments: somebody may have tried to give a secret
 * there, and standard error often ends up in a log.
 */
function withoutArguments(text: string): string {
  return text
    .replace(/(too many arguments.* but got \d+): .*/s, "$1.\n")
    .replace(/(unknown option '[^'=]*)=[^']*'/s, "$1'");
}
