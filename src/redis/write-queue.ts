import type { RedisConnection } from "./connection.ts";
import type { Command } from "./node.ts";

/** Writes that nobody waits for. */
export interface WriteQueue {
  /** Whether there was room for it. `onWritten` hears what Redis answered; undefined if it did not, or nobody knows. */
  push(command: Command, bytes: number, onWritten: (answer: unknown) => void): boolean;
}

interface Write {
  readonly command: Command;
  readonly bytes: number;
  readonly onWritten: (answer: unknown) => void;
}

/** What waits at most. Redis takes that much within a few milliseconds; where it does not, what is written is soon old anyway. */
const WAITING_MAX = 1000;
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

/** What is sent in one go: little enough that a slow link takes it within the time that an answer may take. */
const BATCH_MAX = 100;
const BATCH_BYTES_MAX = 256 * 1024;

export function createWriteQueue(redis: Pick<RedisConnection, "up" | "send">): WriteQueue {
  let waiting: Write[] = [];
  let waitingBytes = 0;
  let sending = false;

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = takeBatch();
      const answers = await redis.send(batch.map(({ command }) => command));
      for (const [index, { onWritten }] of batch.entries()) onWritten(answers[index]);
    }
    sending = false;
  }

  function takeBatch(): readonly Write[] {
    let bytes = 0;
    const end = waiting.findIndex((write, index) => {
      bytes += write.bytes;
      return index > 0 && (index === BATCH_MAX || bytes > BATCH_BYTES_MAX);
    });
    const batch = end < 0 ? waiting : waiting.slice(0, end);
    waiting = end < 0 ? [] : waiting.slice(end);
    waitingBytes -= batch.reduce((sum, write) => sum + write.bytes, 0);
    return batch;
  }

  return {
    push(command, bytes, onWritten) {
      if (!redis.up() || waiting.length >= WAITING_MAX || waitingBytes + bytes > WAITING_BYTES_MAX) return false;
      waiting.push({ command, bytes, onWritten });
      waitingBytes += bytes;
      if (!sending) {
        sending = true;
        // All that comes in this turn of the event loop goes together.
        setImmediate(() => void sendAll());
      }
      return true;
    },
  };
}
