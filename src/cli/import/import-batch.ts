import { createHash } from "node:crypto";
import { ClavisError, type ImportedKeyInput, type ImportKeysInput } from "@clavis/sdk";

/** A line that can be sent. */
export interface ImportLine {
  readonly number: number;
  readonly text: string;
  readonly key: ImportedKeyInput;
}

/** A line that became no key, and why. */
export interface RefusedLine {
  readonly number: number;
  readonly text: string;
  readonly reason: string;
  /** Whether it is one whose digest the service has already, so that nothing is missing. */
  readonly known: boolean;
}

export interface BatchResult {
  readonly imported: number;
  readonly refused: readonly RefusedLine[];
}

/** Asks the service for one batch, which it takes whole or not at all. */
export type SendBatch = (request: ImportKeysInput) => Promise<unknown>;

/** A path into the batch, as violations name it: `keys[3].spec.permissions`. */
const ITEM = /^keys\[(\d+)\]\.?(.*)$/;

/**
 * Imports what can be imported of `lines`: where the service refuses the batch and says because of which items, the rest
 * is sent again without them.
 *
 * @throws ClavisError for any other failure, which concerns more than single lines
 */
export async function importBatch(
  keyspaceId: string,
  lines: readonly ImportLine[],
  send: SendBatch,
): Promise<BatchResult> {
  const refused: RefusedLine[] = [];
  let left = lines;
  while (left.length > 0) {
    const keys = left.map(({ key }) => key);
    try {
      await send({ keyspaceId, keys, requestId: requestIdOf(keyspaceId, keys) });
      break;
    } catch (error) {
      const named = refusalsIn(error, left);
      if (named.size === 0) throw error;
      refused.push(...named.values());
      left = left.filter(({ number }) => !named.has(number));
    }
  }
  return { imported: left.length, refused };
}

/**
 * Made of the request itself, so that the same batch, sent by a second run after the first was cut off, gets the first
 * one's answer instead of a collision with its own keys. A UUID of version 8 (RFC 9562, section 5.8).
 */
export function requestIdOf(keyspaceId: string, keys: readonly ImportedKeyInput[]): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([keyspaceId, keys]))
    .digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

function refusalsIn(error: unknown, lines: readonly ImportLine[]): Map<number, RefusedLine> {
  const refusals = new Map<number, RefusedLine>();
  if (!(error instanceof ClavisError)) return refusals;
  for (const { field, description } of error.violations) {
    const [, index, path = ""] = ITEM.exec(field) ?? [];
    const line = index === undefined ? undefined : lines[Number(index)];
    if (line === undefined) continue;
    const { number, text } = line;
    const reason = `${path.replace(/^spec\./, "")}: ${description}`.replace(/^: /, "");
    const earlier = refusals.get(number)?.reason;
    const known = error.reason === "DIGEST_ALREADY_EXISTS";
    refusals.set(number, { number, text, known, reason: earlier === undefined ? reason : `${earlier}; ${reason}` });
  }
  return refusals;
}
