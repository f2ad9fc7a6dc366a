import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { createBodies } from "./bodies.ts";
import { openFrames } from "./frame-client.ts";
import type { Load, Loader } from "./load.ts";

/** Load from a process of its own, so that it shares nothing with who measures. */
export const bundledLoad: Loader = async (load, seconds) => {
  const { body, expected, ...rest } = load;
  const sent: Sent = { ...rest, body: body.toString("base64"), expected: expected.toString("base64") };
  const child = fork(import.meta.filename, [JSON.stringify(sent), String(seconds)]);
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`the load ended with ${String(code)}`);
  });
  const [answers] = (await Promise.race([once(child, "message"), gone])) as [number];
  gone.catch(() => {});
  return answers / seconds;
};

/** A load as text. */
interface Sent extends Omit<Load, "body" | "expected"> {
  readonly body: string;
  readonly expected: string;
}

/** Asks once, and resolves when there is a good answer. */
type Ask = (body: Buffer) => Promise<void>;

if (process.argv[1] === import.meta.filename && process.send !== undefined) {
  const [, , text = "", seconds = ""] = process.argv;
  const { body, expected, ...rest } = JSON.parse(text) as Sent;
  const load: Load = { ...rest, body: Buffer.from(body, "base64"), expected: Buffer.from(expected, "base64") };
  const next = createBodies(load);
  const lanes = (await Promise.all(Array.from({ length: load.connections }, () => openLanes(load)))).flat();
  const end = performance.now() + Number(seconds) * 1000;
  const counts = await Promise.all(
    lanes.map(async (ask) => {
      let count = 0;
      for (; performance.now() < end; count++) await ask(next());
      return count;
    }),
  );
  process.send(
    counts.reduce((sum, count) => sum + count, 0),
    () => process.exit(),
  );
}

/** Those of one connection, which they share. */
async function openLanes(load: Load): Promise<Ask[]> {
  const ask = load.http === 2 ? await overHttp2(load) : overHttp1(load);
  return Array.from({ length: load.streams }, () => ask);
}

async function overHttp2(load: Load): Promise<Ask> {
  const connection = await openFrames(load);
  return (body) => connection.ask(body);
}

function overHttp1({ url, headers }: Load): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (body) =>
    new Promise((resolve, reject) => {
      const req = request(
        url,
        { agent, method: "POST", headers: { ...headers, "content-length": body.length } },
        (res) => {
          if (res.statusCode !== 200) reject(new Error(`status ${res.statusCode}`));
          res.resume().on("end", resolve);
        },
      );
      req.on("error", reject);
      req.end(body);
    });
}
