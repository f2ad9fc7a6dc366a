import { openBenchPostgres } from "../bench-postgres.ts";
import { addBulkKeys } from "../bulk-keys.ts";
import { startProgram, startService } from "../contest.ts";
import { type Row, valueRow } from "../row.ts";
import type { CacheMemory } from "../servers/cache-memory.ts";

const KEYS = 40_000;
const PERMISSIONS = Array.from({ length: 10 }, (_, index) => `documents.kind_${index}.read`);
const KIB = 1024;

/** S14: what a key takes in the cache of the process, and whether that cache keeps to its bound. */
export async function memory(): Promise<readonly Row[]> {
  await using postgres = await openBenchPostgres();
  const { url, ownerUrl } = postgres;
  const maker = await startService("servers/clavis-server.ts", url, "1", "");
  await maker[Symbol.asyncDispose]();
  await addBulkKeys({ ownerUrl, keyspaceId: maker.work.keyspaceId, count: KEYS, permissions: PERMISSIONS });
  await using program = await startProgram<CacheMemory>("servers/cache-memory.ts", url, String(KEYS));
  const { bytesPerKey, ofBound } = program.told;
  const row = "S14";
  return [
    valueRow({ row, what: "memory of a cached key with ten permissions", value: bytesPerKey, unit: "bytes", aim: KIB }),
    valueRow({ row, what: "memory of a full cache, of what it may take", value: ofBound, unit: "", aim: 1 }),
  ];
}
