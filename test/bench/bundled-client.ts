import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:http2";
import type { Load, Loader } from "./load.ts";

/** Load from a process of its own, so that it shares nothing with who measures. */
export const bundledLoad: Loader = async (load, seconds) => {
  const child = fork(import.meta.filename, [
    JSON.stringify({ ...load, body: load.body.toString("base64") }),
    String(seconds),
  ]);
  const [answers] = (await once(child, "message")) as [number];
  return answers / seconds;
};

if (process.argv[1] === import.meta.filename && process.send !== undefined) {
  const [, , text = "", seconds = ""] = process.argv;
  const parsed = JSON.parse(text) as Omit<Load, "body"> & { body: string };
  const load: Load = { ...parsed, body: Buffer.from(parsed.body, "base64") };
  const end = performance.now() + Number(seconds) * 1000;
  const lanes = Array.from({ length: load.connections }, () => openLanes(load)).flat();
  const counts = await Promise.all(
    lanes.map(async (ask) => {
      let count = 0;
      for (; performance.now() < end; count++) await ask();
      return count;
    }),
  );
  process.send(
    counts.reduce((sum, count) => sum + count, 0),
    () => process.exit(),
  );
}

/** Each asks once and waits for the answer; those of one connection share it. */
function openLanes(load: Load): (() => Promise<void>)[] {
  const ask = load.http === 2 ? overHttp2(load) : overHttp1(load);
  return Array.from({ length: load.streams }, () => ask);
}

function overHttp2({ url, headers, body }: Load): () => Promise<void> {
  const session = connect(url);
  const head = { ":method": "POST", ":path": new URL(url).pathname, ...headers };
  return () =>
    new Promise((resolve, reject) => {
      const stream = session.request(head);
      stream.on("response", ({ ":status": status }) => {
        if (status !== 200) reject(new Error(`status ${status}`));
      });
      stream.on("error", reject);
      stream.on("close", resolve);
      stream.resume();
      stream.end(body);
    });
}

function overHttp1({ url, headers, body }: Load): () => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return () =>
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
