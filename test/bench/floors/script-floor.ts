/** What stands in for pgbench: repeats a script as fast as `pg` can, and prints runs per second. `script-floor.ts URL FILE CLIENTS SECONDS`. */
import { hash, randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import pg from "pg";
import type { Parameter, Script } from "../statements.ts";

const [, , url = "", file = "", clients = "", seconds = ""] = process.argv;
const script = JSON.parse(readFileSync(file, "utf8")) as Script;
const connections = Array.from({ length: Number(clients) }, () => new pg.Client({ connectionString: url }));
await Promise.all(connections.map((client) => client.connect()));

const end = performance.now() + Number(seconds) * 1000;
const counts = await Promise.all(connections.map(repeat));
await Promise.all(connections.map((client) => client.end()));
process.stdout.write(`${counts.reduce((sum, count) => sum + count, 0) / Number(seconds)}\n`);

async function repeat(client: pg.Client, index: number): Promise<number> {
  const seed = randomBytes(8).toString("hex");
  let count = 0;
  for (; performance.now() < end; count++) {
    const id = (BigInt(index + 1) << 40n) + BigInt(count);
    const valueFor = (parameter: Parameter) => {
      if ("fresh" in parameter) return freshOf(parameter, seed, id);
      return "random" in parameter ? String(1 + randomInt(parameter.random)) : parameter.value;
    };
    for (const [trip, statements] of script.entries()) {
      const [first, ...others] = statements;
      // Several go in one message, in which there is nothing to prepare.
      if (others.length > 0)
        await client.query(statements.map((one) => inlined(one.text, one.parameters.map(valueFor))).join("; "));
      else if (first !== undefined)
        await client.query({ name: `s${trip}`, text: first.text, values: first.parameters.map(valueFor) });
    }
  }
  return count;
}

function freshOf({ fresh, number }: Extract<Parameter, { fresh: string }>, seed: string, id: bigint): string {
  const hex = `${id.toString(16).padStart(12, "0")}${seed}${String(number).padStart(4, "0")}`;
  return fresh === "digest" ? `\\x${hash("sha256", hex)}` : hex;
}

function inlined(text: string, values: readonly (string | null)[]): string {
  return text.replaceAll(/\$(\d+)/g, (_, digits) => {
    const value = values[Number(digits) - 1] ?? null;
    return value === null ? "null" : pg.escapeLiteral(value);
  });
}
