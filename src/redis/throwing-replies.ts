import { createRequire } from "node:module";

interface DataHandler {
  dispatch(act: () => void): void;
  returnFatalError(error: unknown): void;
}

/**
 * A reply that ioredis cannot place (a nil that nobody asked for is enough) makes it throw in its own parser, and it throws that
 * again from `process.nextTick`, where nobody can catch it: whoever garbles one byte on the way from Redis ends the process. From
 * here on it is a protocol error like any other, and ends the connection. The fuzz test of answers fails without this.
 */
export function endConnectionsOnThrowingReplies(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require("ioredis/built/DataHandler.js").default as { prototype: DataHandler };
  prototype.dispatch = function (act) {
    try {
      act();
    } catch (error) {
      this.returnFatalError(error);
    }
  };
}
