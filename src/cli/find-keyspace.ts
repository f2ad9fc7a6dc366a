import type { Clavis } from "@clavis/sdk";
import { CommandFailure } from "./command-failure.ts";

/**
 * The id of the keyspace that people mean by `text`: an id, or else the prefix or the name of exactly one keyspace.
 *
 * @throws CommandFailure if there is no such keyspace, or several
 */
export async function findKeyspace({ keyspaces }: Clavis, text: string): Promise<string> {
  if (text.startsWith("ks_")) return text;
  const found: string[] = [];
  for await (const { id, prefix, displayName } of keyspaces.list({ pageSize: 200 })) {
    if (prefix === text || displayName === text) found.push(id);
  }
  const [id] = found;
  if (id === undefined) throw new CommandFailure(`no keyspace has the id, prefix or name ${JSON.stringify(text)}`);
  if (found.length > 1) throw new CommandFailure(`several keyspaces are called that: ${found.join(", ")}`);
  return id;
}
