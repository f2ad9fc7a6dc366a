import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Load } from "./load.ts";

/** What differs from one request to the next: a text of always the same length, which stands at `at` in the body. */
export type Variation =
  | { readonly kind: "uuid"; readonly at: number }
  /** The lines of a file in turn, from a random one on, all of the same length. */
  | { readonly kind: "lines"; readonly at: number; readonly file: string };

/** Gives the body of the next request. */
export function createBodies({ body, variation }: Pick<Load, "body" | "variation">): () => Buffer {
  if (variation === undefined) return () => body;
  const next = texts(variation);
  return () => {
    const copy = Buffer.from(body);
    next().copy(copy, variation.at);
    return copy;
  };
}

function texts(variation: Variation): () => Buffer {
  if (variation.kind === "uuid") return () => Buffer.from(randomUUID());
  const bytes = readFileSync(variation.file);
  const width = bytes.indexOf("\n") + 1;
  let position = randomInt(bytes.length / width) * width;
  return () => {
    position = (position + width) % bytes.length;
    return bytes.subarray(position, position + width - 1);
  };
}
