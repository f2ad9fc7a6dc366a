import type { Redis } from "ioredis";
import { createBreaker } from "./breaker.ts";
import type { Script } from "./script.ts";

/** What was read at a name: null if there is nothing, undefined if nobody knows. */
export type Found = Buffer | null | undefined;

/** A command and its words, or a script and its arguments. */
export interface Command {
  /** What it works on; in a Cluster also where it is sent. */
  readonly name: string;
  readonly run: string | Script;
  readonly args: readonly (string | number | Buffer)[];
}

/** One server of Redis, over one connection. Nothing of it throws, and nothing takes longer than its budget. */
export interface RedisNode {
  /** Whether commands are sent at the moment. */
  up(): boolean;
  /** What is at each of `names`, in their order. */
  read(names: readonly string[]): Promise<readonly Found[]>;
  /** Runs all in their order, in one go. The answers come in the same order; undefined for what failed or went without one. */
  send(commands: readonly Command[]): Promise<readonly unknown[]>;
  /** Ends the connection, whose answers may have got out of step. Another one takes its place. */
  distrust(): void;
}

interface Parts {
  readonly redis: Redis;
  /** Whether it is one of a Cluster, where a command may name but one slot. */
  readonly clustered: boolean;
  /** How long an answer may take. */
  readonly budgetMs: number;
  /** Called when the server says that something is on another one. */
  readonly onElsewhere: () => void;
}

/**
 * A connection from which something did not come in time is ended, so that no later command can get that answer for its own. There is
 * no other then until a new one has passed its handshake: a Redis that hangs costs those who wait at that moment one budget, and
 * nobody anything afterwards. One that shakes hands and then is slow again is left to rest by the breaker.
 */
export function createNode({ redis, clustered, budgetMs, onElsewhere }: Parts): RedisNode {
  const breaker = createBreaker();
  // A socket that fails closes by itself; a parser that does not understand what it gets only says so.
  redis.on("error", () => end());

  function up(): boolean {
    return redis.status === "ready" && !redis.stream.destroyed;
  }

  /** At once: `disconnect` would wait for the other side to agree, and go on reading meanwhile. */
  function end(): boolean {
    if (!up()) return false;
    redis.stream.destroy();
    return true;
  }

  /** What `act` gives, or undefined if it gives nothing in time or at all. */
  function within<Answer>(act: () => Promise<Answer>): Promise<Answer | undefined> {
    if (!up() || !breaker.admits(performance.now())) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let waiting = true;
      // Where it was this process that stood still, the answer may lie in the socket: it is read before the immediate runs.
      const timer = setTimeout(() => setImmediate(expire), budgetMs);
      act().then(settle, (error: unknown) => {
        noteError(error);
        settle(undefined);
      });

      function settle(answer: Answer | undefined): void {
        clearTimeout(timer);
        if (!waiting) return;
        waiting = false;
        // An error is an answer as well. Where the connection is gone there was none.
        if (up()) breaker.succeeded();
        else breaker.abandoned();
        resolve(answer);
      }

      function expire(): void {
        if (!waiting) return;
        waiting = false;
        if (end()) breaker.failed(performance.now());
        else breaker.abandoned();
        resolve(undefined);
      }
    });
  }

  function noteError(error: unknown): void {
    const message = error instanceof Error ? error.message : "";
    if (/^(?:MOVED|ASK|CROSSSLOT) /.test(message)) onElsewhere();
    // It was the primary once. Its name may lead to another one by now.
    if (message.includes("READONLY") && end()) breaker.failed(performance.now());
  }

  /** Each answer, or undefined in its place. */
  async function pipeline(fill: (pipeline: ReturnType<Redis["pipeline"]>) => void): Promise<readonly unknown[]> {
    const commands = redis.pipeline();
    fill(commands);
    const results = (await commands.exec()) ?? [];
    return results.map(([error, answer]) => {
      if (error === null) return answer;
      noteError(error);
      return isUnknownScript(error) ? UNKNOWN_SCRIPT : undefined;
    });
  }

  /** By MGET, which takes what is of another type for nothing. */
  async function readAll(names: readonly string[]): Promise<readonly Found[]> {
    const answers = clustered
      ? await pipeline((gets) => {
          for (const name of names) gets.mgetBuffer(name);
        })
      : [await redis.mgetBuffer([...names])];
    const found: unknown[] = answers.flatMap((answer) => answer ?? [undefined]);
    if (found.length === names.length && found.every(isFound)) return found;
    // That is no answer to such a question.
    end();
    return names.map(() => undefined);
  }

  async function sendAll(commands: readonly Command[]): Promise<readonly unknown[]> {
    const answers = await pipeline((calls) => {
      for (const { name, run, args } of commands) {
        if (typeof run === "string") calls.call(run, ...args);
        else calls.evalsha(run.sha1, 1, name, ...args);
      }
    });
    if (!answers.includes(UNKNOWN_SCRIPT)) return answers;
    // Redis has started anew since: what it does not know is sent in full, once.
    const unknown = commands.filter((_, index) => answers[index] === UNKNOWN_SCRIPT);
    const again = await pipeline((calls) => {
      for (const { name, run, args } of unknown) if (typeof run !== "string") calls.eval(run.text, 1, name, ...args);
    });
    const rest = again.values();
    return answers.map((answer) => (answer === UNKNOWN_SCRIPT ? rest.next().value : answer));
  }

  return {
    up,
    read: async (names) => (await within(() => readAll(names))) ?? names.map(() => undefined),
    send: async (commands) => (await within(() => sendAll(commands))) ?? commands.map(() => undefined),
    distrust: () => void end(),
  };
}

const UNKNOWN_SCRIPT = Symbol("unknown script");

function isUnknownScript(error: Error): boolean {
  return error.message.startsWith("NOSCRIPT");
}

function isFound(answer: unknown): answer is Found {
  return answer === null || answer === undefined || Buffer.isBuffer(answer);
}
