import { hash } from "node:crypto";
import { DomainError } from "./errors.ts";
import type { Json } from "./json.ts";
import type { Sealer } from "./root-keys.ts";

/**
 * Page tokens: where the next page begins, sealed and bound to the query and the caller's tenant, so that nobody can read,
 * forge or carry one over (AIP-158).
 */
export interface PageTokens {
  /** A token for the place after `position`. */
  issue(query: Json, position: Json): string;
  /** The position in a token, undefined for an empty one. Throws PAGE_TOKEN_INVALID for one of another query. */
  redeem(query: Json, token: string): Json | undefined;
}

export function createPageTokens(sealer: Sealer): PageTokens {
  return {
    issue(query, position) {
      const plain = Buffer.from(JSON.stringify(position));
      return Buffer.from(sealer.seal("page-token", plain, saltOf(query))).toString("base64url");
    },
    redeem(query, token) {
      if (token === "") return undefined;
      const plain = sealer.open("page-token", Buffer.from(token, "base64url"), saltOf(query));
      if (plain === undefined) throw new DomainError({ reason: "PAGE_TOKEN_INVALID" });
      return JSON.parse(Buffer.from(plain).toString()) as Json;
    },
  };
}

function saltOf(query: Json): string {
  return hash("sha256", JSON.stringify(query), "hex");
}
