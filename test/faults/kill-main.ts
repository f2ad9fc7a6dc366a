/**
 * The long form of `kill.test.ts`, on a Postgres that is killed along with the service:
 *
 *     npm run faults -- --kills 50 --seed 7
 *
 * Prints the seed, how it goes, and one line of figures; ends with 1 at the first promise that was not kept.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openTemporaryFolder } from "../harness/temporary-folder.ts";
import { runKills } from "./kill-run.ts";
import { createEmbedded } from "./killable.ts";

const { values } = parseArgs({ options: { kills: { type: "string" }, seed: { type: "string" } } });
const kills = Number(values.kills ?? 50);
const seed = Number(values.seed ?? randomInt(2 ** 31));

const say = (line: string) => void process.stdout.write(`${line}\n`);
say(`seed ${seed}`);
await using folder = await openTemporaryFolder();
await using service = createEmbedded(folder.path);
const report = await runKills({ ...service, seed, kills, say });
say(
  Object.entries({ seed, ...report })
    .map(([name, value]) => `${name}=${value}`)
    .join(" "),
);
