/**
 * Better Auth's API-key plugin on the Postgres at a URL, with so many keys: `peer.js URL KEYS`. Whoever started it sends a number of
 * seconds, and is sent back how many keys were verified in a second.
 *
 * As fast as it can be had: called in its own process, the way its users call it on a server, without HTTP in between; rate limits off,
 * since with them it counts only more; keys in Postgres, where Clavis's are, and not in a store beside it.
 */
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";

const [, , connectionString, keys] = process.argv;

/** What did best of 16 to 128 calls under way over 5 to 20 connections. */
const UNDER_WAY = 64;
const CONNECTIONS = 10;

const auth = betterAuth({
  database: new pg.Pool({ connectionString, max: CONNECTIONS }),
  secret: "not a secret, as nobody else comes here",
  baseURL: "http://127.0.0.1",
  emailAndPassword: { enabled: true },
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ enableMetadata: true, rateLimit: { enabled: false } })],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const { user } = await auth.api.signUpEmail({
  body: { name: "Acme", email: "acme@example.com", password: "not a secret either" },
});
const permissions = { documents: ["read", "write"], billing: ["read"] };
const secrets = [];
while (secrets.length < Number(keys)) {
  const body = { userId: user.id, name: "CI", metadata: { plan: "pro" }, permissions };
  const made = await Promise.all(Array.from({ length: UNDER_WAY }, () => auth.api.createApiKey({ body })));
  secrets.push(...made.map(({ key }) => key));
}
const refused = await auth.api.verifyApiKey({ body: { key: `${secrets[0]}x` } });
if (refused.valid) throw new Error("it verifies what is no key");

let next = 0;
process.on("message", (seconds) => void verifyFor(seconds).then((perSecond) => process.send(perSecond)));
process.once("disconnect", () => process.exit());
process.send("ready");

async function verifyFor(seconds) {
  const end = performance.now() + seconds * 1000;
  const counts = await Promise.all(Array.from({ length: UNDER_WAY }, () => verifyUntil(end)));
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

async function verifyUntil(end) {
  let count = 0;
  for (; performance.now() < end; count++) {
    next = (next + 1) % secrets.length;
    const body = { key: secrets[next], permissions: { documents: ["read"] } };
    const { valid, error } = await auth.api.verifyApiKey({ body });
    if (!valid) throw new Error("not what was to be measured", { cause: error });
  }
  return count;
}
