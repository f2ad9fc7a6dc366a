import { Readable, Writable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackupError } from "./backup-error.ts";
import { compress, decompress } from "./compression.ts";
import { type BackupHeader, formatHeader, type RowBatch } from "./format.ts";
import { openBackup } from "./read-backup.ts";
import { writeBackup } from "./write-backup.ts";

const header: BackupHeader = { version: "1.2.3", migrations: ["0001-initial"], time: "2026-01-02T03:04:05.678Z" };

const batches: readonly RowBatch[] = [
  { table: "tenants", columns: ["tenant_id"], rows: ['{"tenant_id":"a"}'] },
  { table: "tenants", columns: ["tenant_id"], rows: ['{"tenant_id":"b"}', '{"tenant_id":"ü\\n\u2028"}'] },
  { table: "keyspaces", columns: ["tenant_id", "prefix"], rows: [] },
  { table: "keys", columns: ["key_id"], rows: ['{"key_id":1}'] },
];

describe("a backup", () => {
  it("says the same when it is read as when it was written", async () => {
    expect(await read(await written(header, batches))).toEqual({
      header,
      tables: {
        tenants: {
          columns: ["tenant_id"],
          rows: ['{"tenant_id":"a"}', '{"tenant_id":"b"}', '{"tenant_id":"ü\\n\u2028"}'],
        },
        keyspaces: { columns: ["tenant_id", "prefix"], rows: [] },
        keys: { columns: ["key_id"], rows: ['{"key_id":1}'] },
      },
    });
  });

  it("says the same in whatever chunks it comes", async () => {
    const text = await written(header, batches);
    const whole = await read(text);
    const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(sizes, async (pattern) => {
        expect(await read(...cut(text, pattern))).toEqual(whole);
      }),
    );
  });

  it("carries any rows", async () => {
    const row = fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), fc.jsonValue()).map((value) => JSON.stringify(value));
    await fc.assert(
      fc.asyncProperty(fc.array(row), async (rows) => {
        const { tables } = await read(await written(header, [{ table: "keys", columns: ["key_id"], rows }]));
        expect(tables.keys?.rows).toEqual(rows);
      }),
    );
  });

  it("is refused wherever it is cut off", async () => {
    const text = await written(header, batches);
    expect(text.length).toBeGreaterThan(300);
    for (let length = 0; length < text.length; length++) await expectRefused(text.subarray(0, length));
  });

  it("is refused when any bit of any byte is another", async () => {
    const text = await written(header, batches);
    for (let at = 0; at < text.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(text);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        await expectRefused(changed);
      }
    }
  });

  it("is refused when a line of it is missing, there twice or in another place", async () => {
    const text = await written(header, batches);
    const lines = text.toString().split(/(?<=\n)/);
    expect(lines.length).toBe(9);
    for (const [at, line] of lines.entries()) {
      await expectRefused(Buffer.from(lines.toSpliced(at, 1).join("")));
      await expectRefused(Buffer.from(lines.toSpliced(at, 0, line).join("")));
      if (at > 0)
        await expectRefused(
          Buffer.from(
            lines
              .toSpliced(at, 1)
              .toSpliced(at - 1, 0, line)
              .join(""),
          ),
        );
    }
  });

  it("is refused when something follows it", async () => {
    const text = await written(header, batches);
    for (const more of ["\n", "x", text.toString()]) await expectRefused(Buffer.concat([text, Buffer.from(more)]));
  });

  it("never crashes its reader, whatever it is", async () => {
    const junk = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc.string().map(junkAfterHeader),
    );
    await fc.assert(fc.asyncProperty(junk, async (bytes) => await expectRefused(Buffer.from(bytes))));
  });

  it("is refused with the version that can read it where it is of a later format", async () => {
    const text = Buffer.from('{"@clavis":"backup","format":2,"version":"9.0.0","anything":"else"}\n');
    await expect(read(text)).rejects.toThrow(
      "the backup was made by Clavis 9.0.0: restore it with that version or a later one",
    );
  });

  it("is refused when a line would not end", async () => {
    async function* endless() {
      yield Buffer.from(formatHeader(header));
      for (;;) yield Buffer.alloc(1024 * 1024, "x");
    }
    const backup = await openBackup(endless());
    await expect(backup.batches.next()).rejects.toThrow("the backup has a line that is too long");
  });
});

describe("a compressed backup", () => {
  it("is gzip", async () => {
    expect(gunzipSync(await compressed()).equals(await written(header, batches))).toBe(true);
  });

  it("is refused wherever it is cut off", async () => {
    const file = await compressed();
    for (let length = 0; length < file.length; length++) {
      await expect(readCompressed(file.subarray(0, length)), `${length} bytes`).rejects.toThrow(BackupError);
    }
  });

  it("never says anything else when a bit of it is another", async () => {
    // Some bits of gzip mean nothing to what is in it: the time in its header, the padding of its last block.
    const file = await compressed();
    const whole = await readCompressed(file);
    let refused = 0;
    for (let at = 0; at < file.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(file);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const said = await readCompressed(changed).catch((error) => {
          expect(error).toBeInstanceOf(BackupError);
          refused++;
        });
        if (said !== undefined) expect(said).toEqual(whole);
      }
    }
    expect(refused).toBeGreaterThan((file.length - 10) * 8 - 16);
  });

  it("is refused when it is something else", async () => {
    for (const other of [Buffer.from("PGDMP"), gzipSync("select 1;\n"), gzipSync("")]) {
      await expect(readCompressed(other)).rejects.toThrow(BackupError);
    }
  });

  async function compressed(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const output = new Writable({
      write(chunk, _, done) {
        chunks.push(chunk);
        done();
      },
    });
    await compress(writeBackup(header, iterate(batches)), output, new AbortController().signal);
    return Buffer.concat(chunks);
  }

  function readCompressed(file: Buffer) {
    return decompress(Readable.from([file]), readAll, new AbortController().signal);
  }
});

async function written(head: BackupHeader, rows: readonly RowBatch[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of writeBackup(head, iterate(rows))) parts.push(part);
  return Buffer.concat(parts);
}

function read(...chunks: Buffer[]) {
  return readAll(iterate(chunks));
}

async function readAll(chunks: AsyncIterable<Uint8Array>) {
  const backup = await openBackup(chunks);
  const tables: Record<string, { columns: readonly string[]; rows: string[] }> = {};
  for await (const { table, columns, rows } of backup.batches) {
    tables[table] ??= { columns, rows: [] };
    tables[table].rows.push(...rows);
  }
  return { header: backup.header, tables };
}

async function expectRefused(text: Buffer): Promise<void> {
  await expect(read(text)).rejects.toThrow(BackupError);
}

function cut(text: Buffer, pattern: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0, i = 0; start < text.length; i++) {
    const end = start + (pattern[i % pattern.length] ?? 1);
    chunks.push(text.subarray(start, end));
    start = end;
  }
  return chunks;
}

function junkAfterHeader(text: string): Buffer {
  return Buffer.from(formatHeader(header) + text);
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
