/** How many processes serve; `auto` for as many as the machine can run at once. */
export type WorkerCount = number | "auto";

/** Each has its caches and its connections to Postgres. Whoever has more cores than that has more machines as well. */
export const WORKERS_MAX = 64;

/** What `text` says, or undefined if it is neither `auto` nor a whole number from 1 to `WORKERS_MAX`. */
export function parseWorkerCount(text: string): WorkerCount | undefined {
  if (text === "auto") return text;
  const count = Number(text);
  return /^\d{1,2}$/.test(text) && count >= 1 && count <= WORKERS_MAX ? count : undefined;
}

/** `parallelism` is what the machine can run at once. */
export function resolveWorkerCount(count: WorkerCount, parallelism: number): number {
  return count === "auto" ? Math.min(WORKERS_MAX, parallelism) : count;
}
