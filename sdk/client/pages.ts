import { ClavisError } from "../errors/clavis-error.ts";

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** What to ask the next page with (`pageToken`); empty after the last. */
  readonly nextPageToken: string;
}

/**
 * A list that is fetched as it is read:
 *
 *     for await (const key of clavis.keys.list({ keyspaceId })) ...
 *
 * Nothing is asked before the first item is wanted, nor after the loop ends. Each page is a call of its own, with its own
 * timeout; what changes between two of them may or may not be seen. May be read several times.
 */
export interface Pages<T> extends AsyncIterable<T> {
  /** The first page alone, or the one that the request's `pageToken` names. */
  page(): Promise<Page<T>>;
  /** Page by page, to the last. */
  pages(): AsyncIterable<Page<T>>;
}

/** The list whose pages `fetchPage` gets by their token, beginning with `firstToken`. */
export function createPages<T>(firstToken: string, fetchPage: (pageToken: string) => Promise<Page<T>>): Pages<T> {
  async function* pages(): AsyncGenerator<Page<T>, void, undefined> {
    for (let token = firstToken; ; ) {
      const page = await fetchPage(token);
      yield page;
      if (page.nextPageToken === "") return;
      // Asking the same again would get the same again, without an end.
      if (page.nextPageToken === token) throw standstill();
      token = page.nextPageToken;
    }
  }

  async function* items(): AsyncGenerator<T, void, undefined> {
    for await (const page of pages()) yield* page.items;
  }

  return { [Symbol.asyncIterator]: items, pages, page: () => fetchPage(firstToken) };
}

function standstill(): ClavisError {
  return new ClavisError({
    reason: "UNKNOWN",
    code: "INTERNAL",
    message: "the service answered a page with that page's own token",
    retryable: false,
  });
}
