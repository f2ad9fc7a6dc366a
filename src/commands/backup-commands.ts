import type { Command } from "commander";
import type { Surroundings } from "./surroundings.ts";

const BACKUP = [
  "Writes all that Clavis keeps into a file, as it is at one moment. The service may go on meanwhile.",
  `Without CLAVIS_DATABASE_URL that is what the data folder holds, whether the service runs on it or not; otherwise
it is what the database holds, which CLAVIS_MIGRATE_DATABASE_URL names as its tables' owner.`,
  "Secrets cannot be got from a backup, but all else can be read in it. Root and operator keys are not in it.",
];

const RESTORE = [
  "Reads a backup into an empty database: all of it, or nothing where anything is wrong.",
  `Without CLAVIS_DATABASE_URL it goes into the data folder, on which no service may run; otherwise into the database of
CLAVIS_MIGRATE_DATABASE_URL, for a service that runs as the role of CLAVIS_DATABASE_URL.`,
  "What is there already is neither replaced nor added to.",
];

/** `clavis backup` and `clavis restore`. Either loads what it needs when it is asked for. */
export function addBackupCommands(program: Command, host: Surroundings): void {
  program
    .command("backup")
    .summary("write everything into a file")
    .description(toText(BACKUP))
    .argument("<file>", "the file to write, or - for standard output")
    .option("--overwrite", "replace the file if it is there already", false)
    .action(async (path: string, options: { overwrite: boolean }) => {
      await (await import("./backup.ts")).backup(host, path, options);
    });
  program
    .command("restore")
    .summary("read a backup into an empty database or data folder")
    .description(toText(RESTORE))
    .argument("<file>", "the backup, or - for standard input")
    .action(async (path: string) => {
      await (await import("./restore.ts")).restore(host, path);
    });
}

/** Paragraphs as commander wraps them. */
function toText(paragraphs: readonly string[]): string {
  return paragraphs.map((paragraph) => paragraph.replaceAll("\n", " ")).join("\n\n");
}
