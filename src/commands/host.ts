/** What server commands have of the process around them; main.ts gives it. */
export type Host = Pick<NodeJS.Process, "env" | "stdout" | "stderr" | "cwd" | "on" | "exit">;
