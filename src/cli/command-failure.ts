import { EXIT, type ExitCode } from "./exit-code.ts";

/** Ends a command with words for a person instead of a stack. Without a message everything has been said already. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failure) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command does not make sense, so that nothing was asked or changed. */
export function usageFailure(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.usage);
}
