/** What the process answers with. `docs/cli.md` promises these numbers to scripts. */
export const EXIT = {
  ok: 0,
  /** The service refused, could not be asked, or could not be started. */
  failure: 1,
  /** The command was not understood: nothing was asked or changed. */
  usage: 2,
  /** `keys verify` got an answer, and it was not VALID. */
  refused: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
