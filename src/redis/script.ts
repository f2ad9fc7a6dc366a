import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script that Redis runs as one step. */
export interface Script {
  readonly text: string;
  /** By which Redis knows it once it has run it. */
  readonly sha1: string;
}

/** The script in `scripts/NAME.lua`. */
export function readScript(name: string): Script {
  const text = readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), "utf8");
  return { text, sha1: hash("sha1", text, "hex") };
}
