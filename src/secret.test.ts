import { Console } from "node:console";
import { Writable } from "node:stream";
import { format, inspect } from "node:util";
import { shapeOf } from "@clavis/sdk/rules";
import { describe, expect, it } from "vitest";
import { createLog } from "./log.ts";
import { createSecrets, digestOf, Secret } from "./secret.ts";

const TEXT = "canary-canary-canary";
const secret = new Secret(TEXT);

/** All that can happen to a value by accident. */
const accidents: readonly (readonly [name: string, show: () => unknown])[] = [
  ["String", () => String(secret)],
  ["a template", () => `${secret as unknown as string}`],
  ["addition", () => `a ${"b"}`.concat(secret as unknown as string)],
  ["JSON", () => JSON.stringify(secret)],
  ["JSON of what holds it", () => JSON.stringify({ a: [{ secret }] })],
  ["inspect", () => inspect(secret)],
  ["inspect of all there is", () => inspect({ a: [{ secret }] }, { depth: 10, showHidden: true, getters: true })],
  ["inspect without custom ways", () => inspect(secret, { customInspect: false, showHidden: true })],
  ["format", () => format("%s %o %O %j %d", secret, secret, secret, secret, secret)],
  [
    "its own fields",
    () =>
      JSON.stringify([
        Object.entries(secret),
        Object.assign({}, secret),
        Object.getOwnPropertyNames(secret),
        Reflect.ownKeys(secret).map(String),
      ]),
  ],
  ["a clone", () => inspect(structuredClone(secret), { showHidden: true })],
  ["an error's message", () => new Error(`bad ${secret as unknown as string}`).stack],
  ["an error's cause", () => inspect(new Error("bad", { cause: secret }), { depth: 10, showHidden: true })],
  ["an error's field", () => inspect(Object.assign(new Error("bad"), { secret }), { depth: 10, showHidden: true })],
  ["a map and a set", () => inspect([new Map([[secret, secret]]), new Set([secret])], { depth: 10 })],
  ["the console", () => printed((console) => console.log("%s", secret, { secret }, [secret]))],
  ["the console's table", () => printed((console) => console.table([{ secret }]))],
  ["the console's dir", () => printed((console) => console.dir({ secret }, { depth: 5, showHidden: true }))],
  ["a log", () => logged({ secret, error: new Error("bad", { cause: { secret } }), a: { b: secret } })],
  ["a list", () => [secret, secret].join()],
];

describe("a secret", () => {
  it.each(accidents)("does not show itself in %s", (_name, show) => {
    const shown = String(show());
    expect(shown).not.toContain("canary");
    expect(shown).not.toContain(Buffer.from(TEXT).toString("hex"));
  });

  it("is shown where somebody says so", () => {
    expect(secret.reveal()).toBe(TEXT);
    expect(String(secret)).toBe("[secret]");
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}');
  });

  it("is known by its SHA-256", () => {
    // FIPS 180-2, appendix B.1.
    expect(digestOf(new Secret("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  it("is made with its prefix and a sound checksum, never twice", () => {
    const newSecret = createSecrets();
    const made = Array.from({ length: 1000 }, () => newSecret("acme_live").reveal());
    for (const text of made) {
      expect(text.startsWith("acme_live_")).toBe(true);
      expect(shapeOf(text)).toBe("clavis");
    }
    expect(new Set(made).size).toBe(1000);
  });
});

function printed(print: (console: Console) => void): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  print(new Console({ stdout: stream, stderr: stream }));
  if (text === "") throw new Error("nothing was printed");
  return text;
}

function logged(fields: object): string {
  let text = "";
  createLog("debug", {
    write(line) {
      text += line;
    },
  }).error(fields, "bad");
  if (text === "") throw new Error("nothing was logged");
  return text;
}
