import type { Migration } from "kysely/migration";
import { initial } from "./0001-initial.ts";
import { changeFeed } from "./0002-change-feed.ts";

/** All migrations by name, in the order of their numbers. Forward only; the code runs before and after each. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-initial": initial,
  "0002-change-feed": changeFeed,
};
