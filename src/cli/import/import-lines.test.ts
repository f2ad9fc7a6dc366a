import { ClavisError, type ImportKeysInput, type Violation } from "@clavis/sdk";
import { describe, expect, it } from "vitest";
import { importLines } from "./import-lines.ts";
import type { NumberedLine } from "./numbered-lines.ts";

const keyspaceId = "ks_1";
const digestOf = (index: number) => index.toString(16).padStart(64, "0");
const lineOf = (index: number, more: object = {}) =>
  JSON.stringify({ digest: digestOf(index), display_name: `Key ${index}`, ...more });

/** A service that has `known` digests already and dislikes owners called "bad". */
function createService(known: Iterable<string> = []) {
  const digests = new Set(known);
  const requests: ImportKeysInput[] = [];
  async function send(request: ImportKeysInput): Promise<void> {
    requests.push(request);
    const named = (field: string, isNamed: (key: ImportKeysInput["keys"][number]) => boolean): Violation[] =>
      request.keys.flatMap((key, index) =>
        isNamed(key) ? [{ field: `keys[${index}].${field}`, description: "no" }] : [],
      );
    refuse(
      "INVALID_REQUEST",
      named("spec.owner_id", ({ spec }) => spec.ownerId === "bad"),
    );
    refuse(
      "DIGEST_ALREADY_EXISTS",
      named("digest", ({ digest }) => digests.has(digest)),
    );
    for (const { digest } of request.keys) digests.add(digest);
  }
  return { digests, requests, send };
}

function refuse(reason: string, violations: readonly Violation[]): void {
  if (violations.length > 0)
    throw new ClavisError({ reason, code: "INVALID_ARGUMENT", message: "no", violations, retryable: false });
}

async function run(texts: readonly (string | undefined)[], send: (request: ImportKeysInput) => Promise<void>) {
  async function* lines(): AsyncGenerator<NumberedLine> {
    for (const [index, text] of texts.entries()) yield { number: index + 1, text };
  }
  const results = await Array.fromAsync(importLines(lines(), { keyspaceId, send }));
  return {
    imported: results.reduce((sum, { imported }) => sum + imported, 0),
    refused: results.flatMap(({ refused }) => refused).map(({ number, reason, known }) => ({ number, reason, known })),
  };
}

describe("importLines", () => {
  it("sends a thousand lines at a time", async () => {
    const service = createService();
    const texts = Array.from({ length: 2500 }, (_, index) => lineOf(index));
    expect(await run(texts, service.send)).toEqual({ imported: 2500, refused: [] });
    expect(service.requests.map(({ keys }) => keys.length)).toEqual([1000, 1000, 500]);
  });

  it("sends a batch again without what the service names, for whatever reason", async () => {
    const service = createService([digestOf(3)]);
    const texts = [lineOf(1), lineOf(2, { owner_id: "bad" }), "{", "", lineOf(3), undefined, lineOf(4)];
    expect(await run(texts, service.send)).toEqual({
      imported: 2,
      refused: [
        { number: 3, reason: "is not a JSON object", known: false },
        { number: 6, reason: "is too long", known: false },
        { number: 2, reason: "owner_id: no", known: false },
        { number: 5, reason: "digest: no", known: true },
      ],
    });
    expect([...service.digests]).toEqual([3, 1, 4].map(digestOf));
  });

  it("gives the same batch the same request id in each run, and another batch another", async () => {
    const [first, second] = [createService(), createService()];
    await run([lineOf(1), lineOf(2)], first.send);
    await run([lineOf(1), lineOf(2)], second.send);
    await run([lineOf(2), lineOf(1)], second.send).catch(() => {});
    const ids = [...first.requests, ...second.requests].map(({ requestId }) => requestId);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it("gives up where the failure concerns more than single lines", async () => {
    const failure = new ClavisError({ reason: "UNREACHABLE", code: "UNAVAILABLE", message: "no", retryable: true });
    await expect(run([lineOf(1)], () => Promise.reject(failure))).rejects.toBe(failure);
  });
});
