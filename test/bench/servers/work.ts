/** What there is to verify. */
export interface Work {
  /** Of a caller who may. */
  readonly token: string;
  readonly keyspaceId: string;
  readonly secrets: readonly string[];
}

/** What each key holds; the first is asked for. */
export const PERMISSIONS = ["documents.read", "documents.write", "billing.*"] as const;
