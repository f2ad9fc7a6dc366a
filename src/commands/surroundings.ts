/** What the commands for backups have of the process around them; main.ts gives it. */
export type Surroundings = Pick<NodeJS.Process, "env" | "stdin" | "stdout" | "stderr" | "once" | "off" | "exit">;
