import type { Json } from "./json.ts";
import type { PageTokens } from "./page-token.ts";

/** A part of a list, and how to ask for what follows. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Empty after the last page. */
  readonly nextPageToken: string;
}

/** Which page of a list is wanted, as the caller put it. */
export interface PageRequest {
  /** 0 for the default. */
  readonly pageSize: number;
  /** Empty for the first. */
  readonly pageToken: string;
}

export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 200;

interface PageSource<Item> {
  readonly tokens: PageTokens;
  /** All that determines the list besides the page; a token holds for the same query alone. */
  readonly query: Json;
  readonly request: PageRequest;
  readonly sizeDefault?: number;
  readonly sizeMax?: number;
  /** Up to `limit` items after `position`, or from the beginning. */
  fetch(position: Json | undefined, limit: number): Promise<readonly Item[]>;
  /** Where an item stands in the list. */
  positionOf(item: Item): Json;
}

/** One page of a list. Reads one item more than it gives, to know whether another page follows. */
export async function pageOf<Item>(source: PageSource<Item>): Promise<Page<Item>> {
  const { sizeDefault = PAGE_SIZE_DEFAULT, sizeMax = PAGE_SIZE_MAX } = source;
  const size = source.request.pageSize === 0 ? sizeDefault : Math.min(source.request.pageSize, sizeMax);
  const position = source.tokens.redeem(source.query, source.request.pageToken);
  const found = await source.fetch(position, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  const more = found.length > size && last !== undefined;
  return { items, nextPageToken: more ? source.tokens.issue(source.query, source.positionOf(last)) : "" };
}
