import { once } from "node:events";
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from "node:net";

/** A wire that can break in the ways in which wires do. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that have been made so far. */
  readonly accepted: number;
  /** Breaks all connections, and each new one at once, until `restore`. */
  cut(): void;
  /** Lets nothing through any more, on connections there are and new ones, until `restore`. They stay open. */
  hang(): void;
  restore(): void;
  /** Breaks all connections and leads new ones elsewhere, as a failover does. */
  turnTo(target: NetConnectOpts): void;
  /**
   * Waits for the next message with `text` in it, once, on whichever connection. Resolves when that has happened:
   *
   * - `lose`: the other side never gets it, and the connection breaks.
   * - `lose answer`: the other side gets it and answers, but instead of the answer the connection breaks.
   * - `hold`: the other side never gets it, and the connection hangs, as if its client were frozen in mid-transaction.
   * - `hold answer`: the other side gets it; its answer stays on the way until it has given the connection up, and arrives
   *   together with what it said then, as it does for a client that was frozen meanwhile.
   */
  intercept(text: string, what: Mishap): Promise<void>;
  /** What becomes of what the other side answers, from now on: by default it is passed on. */
  answer(via: Via): void;
}

/** Gets each piece of an answer as it comes, and passes on whatever it likes. */
export type Via = (piece: Buffer, passOn: (bytes: Buffer) => void) => void;

export type Mishap = "lose" | "lose answer" | "hold" | "hold answer";

type Pair = readonly [near: Socket, far: Socket];
type Trap = { readonly text: string; readonly what: Mishap; readonly sprung: () => void };

export async function openTcpProxy(first: NetConnectOpts): Promise<TcpProxy> {
  let target = first;
  const pairs = new Set<Pair>();
  const traps: Trap[] = [];
  let state: "open" | "cut" | "hung" = "open";
  let accepted = 0;
  let via: Via = (piece, passOn) => passOn(piece);

  const server = createServer((near) => {
    if (state === "cut") {
      near.destroy();
      return;
    }
    accepted += 1;
    const far = connect(target);
    const pair: Pair = [near, far];
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        for (const other of pair) other.destroySoon();
      });
      if (state === "hung") socket.pause();
    }
    near.on("data", (chunk: Buffer) => {
      // The driver writes a message at a time, so that none is torn on its short way here.
      const index = traps.findIndex(({ text }) => chunk.includes(text));
      const [trap] = index < 0 ? [] : traps.splice(index, 1);
      if (trap === undefined) far.write(chunk);
      else spring(trap, pair, chunk);
    });
    far.on("data", (chunk: Buffer) => via(chunk, (bytes) => near.write(bytes)));
  });

  function spring({ what, sprung }: Trap, [near, far]: Pair, chunk: Buffer): void {
    switch (what) {
      case "hold":
        near.pause();
        sprung();
        break;
      case "lose":
        near.destroy();
        sprung();
        break;
      case "lose answer":
        far.removeAllListeners("data").once("data", () => {
          near.destroy();
          sprung();
        });
        far.write(chunk);
        break;
      case "hold answer": {
        const held: Buffer[] = [];
        far.removeAllListeners("data").on("data", (answer: Buffer) => held.push(answer));
        far.once("end", () => {
          near.end(Buffer.concat(held));
          sprung();
        });
        far.write(chunk);
        break;
      }
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const breakAll = () => {
    for (const socket of [...pairs].flat()) socket.destroy();
  };
  return {
    port,
    get accepted() {
      return accepted;
    },
    cut() {
      state = "cut";
      breakAll();
    },
    hang() {
      state = "hung";
      for (const socket of [...pairs].flat()) socket.pause();
    },
    restore() {
      state = "open";
      for (const socket of [...pairs].flat()) socket.resume();
    },
    turnTo(other) {
      target = other;
      breakAll();
    },
    async intercept(text, what) {
      const { promise, resolve } = Promise.withResolvers<void>();
      traps.push({ text, what, sprung: resolve });
      await promise;
    },
    answer(other) {
      via = other;
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      server.close();
      await once(server, "close");
    },
  };
}
