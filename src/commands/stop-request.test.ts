import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import type { Host } from "./host.ts";
import { stopRequest } from "./stop-request.ts";

function createHost() {
  const exits: unknown[] = [];
  const events = new EventEmitter();
  const host = Object.assign(events, { exit: (code: unknown) => void exits.push(code) });
  return { events, host: host as unknown as Host, exits };
}

it("resolves at the first signal, and takes one that follows at once for its echo", async () => {
  const { events, host, exits } = createHost();
  const stop = stopRequest(host, () => 0);
  events.emit("SIGINT");
  events.emit("SIGINT");
  await stop;
  expect(exits).toEqual([]);
});

it("ends the process at the second one, with the code that shells give", () => {
  const { events, host, exits } = createHost();
  let now = 0;
  void stopRequest(host, () => now);
  events.emit("SIGINT");
  now = 3;
  events.emit("SIGTERM");
  expect(exits).toEqual([143]);
});
