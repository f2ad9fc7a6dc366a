import { randomBytes } from "node:crypto";
import { ClavisError, Outcome } from "@clavis/sdk";
import { bodyFrom, formatSecret } from "@clavis/sdk/rules";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestService, type TestService } from "../harness/service.ts";
import { type OpenTenant, openTenant } from "../harness/tenant.ts";

/** Forged secrets that are asked for at least; a million by hand. */
const FORGED = Number(process.env.FORGED_SECRETS ?? 20_000);

/** By the contract. */
const BATCH = 64;
const CALLS = 16;

let stack: AsyncDisposableStack;
let service: TestService;
let flooded: OpenTenant;
let other: OpenTenant;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  service = stack.use(await openTestService());
  flooded = stack.use(await openTenant(service));
  other = stack.use(await openTenant(service));
});

afterAll(() => stack.disposeAsync());

describe("a flood of forged secrets that nobody can tell from real ones", () => {
  it("is asked of Postgres in part, and costs no other caller a verdict", {
    timeout: 60_000,
  }, async () => {
    const known = await flooded.clavis.keys.create({ keyspaceId: flooded.keyspaceId, displayName: "CI" });
    const names = Array.from({ length: 200 }, () => ({ displayName: "CI" }));
    const keys = await other.clavis.keys.batchCreate({ keyspaceId: other.keyspaceId, keys: names });
    await ask(flooded, known.secret);
    const before = await lookups();

    const outcomes = new Map<string | number, number>();
    let asked = 0;
    const floods = Array.from({ length: CALLS }, async () => {
      while (asked < FORGED) {
        asked += BATCH;
        const requests = Array.from({ length: BATCH }, () => ({
          keyspaceId: flooded.keyspaceId,
          secret: formatSecret("acme_live", bodyFrom(randomBytes)),
        }));
        for (const result of await flooded.clavis.batchVerify(requests)) {
          const outcome = result instanceof ClavisError ? result.reason : result.outcome;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
      }
    });
    // Meanwhile: what is cached, from the very caller that floods, and what is not, from another.
    const seen: Outcome[] = [];
    for (const { secret } of keys) seen.push(await ask(other, secret), await ask(flooded, known.secret));
    await Promise.all(floods);

    expect(new Set(seen)).toEqual(new Set([Outcome.VALID]));
    expect(new Set(outcomes.keys())).toEqual(new Set([Outcome.NOT_FOUND, "TOO_MANY_UNKNOWN_SECRETS"]));
    // The flood's own share of Postgres is its burst, and then what the slow lane lets through.
    const asksOfPostgres = (await lookups()) - before - keys.length;
    expect(asksOfPostgres).toBe(outcomes.get(Outcome.NOT_FOUND));
    expect(asksOfPostgres).toBeLessThan(asked);
  });
});

async function ask({ clavis, keyspaceId }: OpenTenant, secret: string): Promise<Outcome> {
  return (await clavis.verify({ keyspaceId, secret })).outcome;
}

/** Secrets that Postgres was asked about. */
async function lookups(): Promise<number> {
  const text = await (await fetch(`${service.operationsUrl}/metrics`)).text();
  return Number(/^clavis_lookups_total\{layer="postgres"\} (\d+)/m.exec(text)?.[1] ?? 0);
}
