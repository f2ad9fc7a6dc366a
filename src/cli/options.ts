import { readFileSync } from "node:fs";
import type { Span } from "@clavis/sdk";
import { type Command, InvalidArgumentError, Option } from "commander";
import { usageFailure } from "./command-failure.ts";
import type { EnumWords } from "./enum-words.ts";
import { parseInstant } from "./instant.ts";
import type { Format } from "./output.ts";
import { URL_DEFAULT } from "./session.ts";
import { parseSpan } from "./span.ts";

type Json = { [name: string]: JsonItem };
type JsonItem = null | boolean | number | string | JsonItem[] | Json;

/** A subcommand that calls the service, with the options that all such commands have. */
export function addCommand(
  parent: Command,
  usage: string,
  description: string,
  formats: readonly Format[] = both,
): Command {
  return parent
    .command(usage)
    .description(description)
    .option("--url <url>", `where the service is (default: CLAVIS_URL, or ${URL_DEFAULT})`)
    .option("--key-file <path>", "the file with the credential (default: see clavis --help)")
    .addOption(new Option("-o, --output <format>", "how to answer").choices(formats).default("table"));
}

const both: readonly Format[] = ["table", "json"];

/** For commands whose answer has a new secret in it. */
export const withSecret: readonly Format[] = [...both, "secret"];

export function spanOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(toSpan);
}

export function instantOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(toInstant);
}

/** An option that may be given several times, of `choices` if there are any. */
export function listOption(flags: string, description: string, choices?: readonly string[]): Option {
  const option = choices === undefined ? description : `${description}: ${choices.join(", ")}`;
  return new Option(flags, option).argParser(
    (item: string, items: readonly string[] | undefined): readonly string[] => {
      return choices === undefined || choices.includes(item) ? [...(items ?? []), item] : refuseChoice(choices);
    },
  );
}

/** An option whose value is a word of an enum, and becomes that enum's number. */
export function enumOption(flags: string, description: string, { words, numberOf }: EnumWords): Option {
  return new Option(flags, `${description}: ${words.join(", ")}`).argParser(
    (word: string) => numberOf(word) ?? refuseChoice(words),
  );
}

/** The same, several times. */
export function enumListOption(flags: string, description: string, { words, numberOf }: EnumWords): Option {
  return new Option(flags, `${description}: ${words.join(", ")}`).argParser(
    (word: string, values: readonly number[] | undefined): readonly number[] => {
      return [...(values ?? []), numberOf(word) ?? refuseChoice(words)];
    },
  );
}

export function limitOption(): Option {
  return new Option("--limit <n>", "how many at most, or all (default: 100 in a table, all as JSON)").argParser(
    toLimit,
  );
}

export function jsonOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(toJsonObject);
}

/** What a change is to be based on, and how long to wait for it to hold everywhere. */
export function addChangeOptions(command: Command, { waits = true } = {}): Command {
  command.option("--etag <etag>", "fail if somebody else has changed it since");
  if (waits) command.addOption(maxWaitOption());
  return command;
}

export function maxWaitOption(): Option {
  const description =
    "how long to wait until every replica goes by it; then it says from when on they do (default: 2s)";
  return spanOption("--max-wait <span>", description);
}

export interface ChangeOptions {
  readonly etag?: string;
  readonly maxWait?: Span;
}

/** Those of a command's options that go into the request as they are. */
export function pick<T extends object, Name extends keyof T>(options: T, ...names: Name[]): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, options[name]])) as Pick<T, Name>;
}

export function toSpan(text: string): Span {
  return parseSpan(text) ?? refuse("Expected a span such as 90d, 12h, 1h30m or 0s.");
}

export function toInstant(text: string): Date {
  return parseInstant(text) ?? refuse("Expected a date such as 2027-01-31, or date and time with a zone.");
}

/** Refuses an update in which nothing is to be changed. */
export function needChange<T extends object>(changes: T): T {
  if (Object.values(changes).every((value) => value === undefined)) {
    throw usageFailure("there is nothing to change: say what with an option, see --help");
  }
  return changes;
}

function toLimit(text: string): number {
  if (text === "all") return Number.POSITIVE_INFINITY;
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : refuse("Expected a number from 1, or all.");
}

/** `{"a":1}`, or `@file` for what stands in a file. */
function toJsonObject(text: string): Json {
  try {
    const value: unknown = JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) return refuse("That file cannot be read.");
  }
  return refuse("Expected a JSON object, or @ and the name of a file with one.");
}

function refuseChoice(choices: readonly string[]): never {
  return refuse(`Expected one of ${choices.join(", ")}.`);
}

function refuse(problem: string): never {
  throw new InvalidArgumentError(problem);
}
