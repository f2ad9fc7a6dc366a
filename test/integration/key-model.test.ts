import { ClavisError, KeyState, Outcome } from "@clavis/sdk";
import fc from "fast-check";
import { expect, it } from "vitest";
import { setUpHome } from "../harness/tenant-home.ts";

const { time, home } = await setUpHome();

/** `TEST_SEED=1234` repeats a run; the test's name tells the seed of this one. */
const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);
const RUNS = 20;
const STEPS_MAX = 30;

/** A key as far as it decides what its secrets are worth. Times in Unix milliseconds, Infinity for never. */
interface Model {
  stops: number[];
  expires: number;
  begins: number;
  disabled: boolean;
  end: "none" | "revoked" | "deleted";
}

function outcomeOf({ end, expires, begins, disabled }: Model, stops: number, now: number): Outcome {
  if (end === "deleted") return Outcome.NOT_FOUND;
  if (end === "revoked") return Outcome.REVOKED;
  if (now >= stops) return Outcome.ROTATED;
  if (now >= expires) return Outcome.EXPIRED;
  if (now < begins) return Outcome.NOT_YET_VALID;
  return disabled ? Outcome.DISABLED : Outcome.VALID;
}

const stateOf: Partial<Record<Outcome, KeyState>> = {
  [Outcome.REVOKED]: KeyState.REVOKED,
  [Outcome.EXPIRED]: KeyState.EXPIRED,
  [Outcome.NOT_YET_VALID]: KeyState.NOT_YET_VALID,
  [Outcome.DISABLED]: KeyState.DISABLED,
  [Outcome.VALID]: KeyState.ACTIVE,
};

/** Few different spans, so that ends meet each other and the clock meets them. */
const span = fc.constantFrom(0, 1, 1000, 2000, 3000, 5000, 10_000);
const step = fc.oneof(
  fc.record({ do: fc.constant("advance" as const), ms: span }),
  fc.record({ do: fc.constant("rotate" as const), ms: span }),
  fc.record({ do: fc.constant("expire" as const), ms: fc.option(span, { nil: Number.POSITIVE_INFINITY }) }),
  fc.record({ do: fc.constant("begin" as const), ms: span }),
  fc.record({ do: fc.constantFrom("complete" as const, "disable" as const, "enable" as const), ms: fc.constant(0) }),
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("revoke" as const, "delete" as const), ms: fc.constant(0) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

it(`agrees with a model through random lives of a key (TEST_SEED=${seed})`, async () => {
  const { id: keyspaceId } = await home.newKeyspace();
  let steps = 0;
  const seen = new Map<string, number>();
  const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: STEPS_MAX, size: "max" }), async (life) => {
      const { key, secret } = await home.newKey(keyspaceId);
      const secrets = [secret];
      const model: Model = {
        stops: [Number.POSITIVE_INFINITY],
        expires: Number.POSITIVE_INFINITY,
        begins: 0,
        disabled: false,
        end: "none",
      };
      for (const one of life) {
        const wanted = refusalOf(model, one, time.now());
        const got = await attempt(key.id, one, secrets);
        expect(got, one.do).toBe(wanted);
        if (wanted === "done") apply(model, one, time.now());
        note(`${one.do}: ${wanted}`);

        const answers = await home.clavis.batchVerify(secrets.map((text) => ({ secret: text, keyspaceId })));
        const outcomes = answers.map((answer) => (answer instanceof ClavisError ? answer.reason : answer.outcome));
        expect(outcomes, one.do).toEqual(model.stops.map((stops) => outcomeOf(model, stops, time.now())));
        for (const outcome of outcomes) note(`${outcome}`);
        if (model.end !== "deleted") {
          const state = stateOf[outcomeOf(model, Number.POSITIVE_INFINITY, time.now())];
          expect((await home.clavis.keys.get(key.id)).key.state).toBe(state);
        }
        steps++;
      }
    }),
    { seed, numRuns: RUNS },
  );
  expect(steps).toBeGreaterThan(RUNS * 5);
  // Whatever the seed: each thing was done, and each was refused that can be.
  for (const outcome of ["VALID", "ROTATED", "EXPIRED", "DISABLED", "REVOKED"] as const)
    expect(seen.get(`${Outcome[outcome]}`), outcome).toBeGreaterThan(0);
  for (const what of ["advance", "rotate", "expire", "begin", "complete", "disable", "enable", "revoke", "delete"])
    expect(seen.get(`${what}: done`), what).toBeGreaterThan(0);
});

/** What the service is to answer: that it is done, or the reason why not. */
function refusalOf(model: Model, { do: what, ms }: Step, now: number): string {
  if (what === "advance") return "done";
  if (model.end === "deleted") return "KEY_NOT_FOUND";
  const expired = now >= model.expires;
  if (what === "delete") return model.end === "revoked" || expired ? "done" : "KEY_STATE_CONFLICT";
  if (what === "revoke") return "done";
  if (model.end === "revoked" || (what === "rotate" && expired)) return "KEY_STATE_CONFLICT";
  if (what === "begin") return now + ms >= model.expires ? "INVALID_REQUEST" : "done";
  if (what === "expire" && now + ms <= model.begins) return "INVALID_REQUEST";
  return what === "expire" && ms === 0 && now !== model.expires ? "EXPIRY_OUTSIDE_POLICY" : "done";
}

function apply(model: Model, { do: what, ms }: Step, now: number): void {
  const stopAll = (end: number) => {
    model.stops = model.stops.map((stops) => Math.min(stops, end));
  };
  switch (what) {
    case "rotate":
      stopAll(Math.min(now + ms, model.expires));
      model.stops.push(Number.POSITIVE_INFINITY);
      return;
    case "complete": {
      const present = model.stops.pop() ?? 0;
      stopAll(now);
      model.stops.push(present);
      return;
    }
    case "expire":
      model.expires = now + ms;
      return;
    case "begin":
      model.begins = now + ms;
      return;
    case "disable":
    case "enable":
      model.disabled = what === "disable";
      return;
    case "revoke":
      model.end = "revoked";
      return;
    case "delete":
      model.end = "deleted";
      return;
    case "advance":
      return;
  }
}

async function attempt(keyId: string, { do: what, ms }: Step, secrets: string[]): Promise<string> {
  const { keys } = home.clavis;
  const date = Number.isFinite(ms) ? time.date(ms) : null;
  const doing: Record<Step["do"], () => unknown> = {
    advance: () => time.advance(ms),
    rotate: async () => secrets.push((await keys.rotate(keyId, { overlap: { milliseconds: ms } })).secret),
    complete: () => keys.completeRotation(keyId),
    expire: () => keys.update(keyId, { expireTime: date }),
    begin: () => keys.update(keyId, { notBeforeTime: date }),
    disable: () => keys.disable(keyId),
    enable: () => keys.enable(keyId),
    revoke: () => keys.revoke(keyId),
    delete: () => keys.delete(keyId),
  };
  try {
    await doing[what]();
    return "done";
  } catch (error) {
    if (error instanceof ClavisError) return error.reason;
    throw error;
  }
}
