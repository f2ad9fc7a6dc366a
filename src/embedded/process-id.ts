/** Whether a process with this id exists, ours or another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The id that a pid file's first line holds, or undefined. Never 0, which a signal would take for "my whole group". */
export function parsePid(text: string): number | undefined {
  const digits = /^[1-9]\d*/.exec(text)?.[0];
  return digits === undefined ? undefined : Number(digits);
}
