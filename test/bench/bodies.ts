import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { bulkSecret } from "./bulk-keys.ts";
import type { Load } from "./load.ts";

/** What differs from one request to the next: a text of always the same length, which stands at `at` in the body. */
export type Variation =
  | { readonly kind: "uuid"; readonly at: number }
  /** The lines of a file in turn, from a random one on, all of the same length. */
  | { readonly kind: "lines"; readonly at: number; readonly file: string }
  /** Secrets of so many keys that were added in bulk, some far more often than others or all as often. */
  | { readonly kind: "bulk"; readonly at: number; readonly keys: number; readonly draw: Draw };

type Draw = "zipf" | "uniform";

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
  switch (variation.kind) {
    case "uuid":
      return () => Buffer.from(randomUUID());
    case "lines":
      return linesOf(variation.file);
    case "bulk":
      return secretsOf(variation.keys, variation.draw);
  }
}

function linesOf(file: string): () => Buffer {
  const bytes = readFileSync(file);
  const width = bytes.indexOf("\n") + 1;
  let position = randomInt(bytes.length / width) * width;
  return () => {
    position = (position + width) % bytes.length;
    return bytes.subarray(position, position + width - 1);
  };
}

/** A prime, so that keys which are asked for about as often are far from each other in tables. */
const STRIDE = 7_368_787;

function secretsOf(keys: number, draw: Draw): () => Buffer {
  const rank = draw === "zipf" ? zipf(keys) : () => randomInt(keys) + 1;
  return () => Buffer.from(bulkSecret((rank() * STRIDE) % keys));
}

/**
 * Ranks from 1 to `count`, each in inverse proportion to itself (Zipf's law with exponent 1), by rejection-inversion: W. Hörmann and
 * G. Derflinger, Rejection-inversion to generate variates from monotone discrete distributions, ACM TOMACS 6 (1996).
 */
function zipf(count: number): () => number {
  const low = Math.log(1.5) - 1;
  const high = Math.log(count + 0.5);
  return () => {
    for (;;) {
      const area = low + Math.random() * (high - low);
      const rank = Math.min(count, Math.max(1, Math.round(Math.exp(area))));
      if (area >= Math.log(rank + 0.5) - 1 / rank) return rank;
    }
  };
}
