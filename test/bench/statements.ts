/** What was sent to Postgres in one message: one statement with parameters, or several that have their values in their text. */
export interface Message {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** A transaction to be repeated: each item is a round trip of one statement or more. */
export type Script = readonly (readonly Statement[])[];

export interface Statement {
  /** With its parameters as `$1`. */
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

/** The same value each time, a number from 1 up to one, or what nobody had before: those of one run that have the same number are the same. */
export type Parameter =
  | { readonly value: string | null }
  | { readonly random: number }
  | { readonly fresh: "digest" | "uuid"; readonly number: number };

const FRESH = { digest: /^\\x[0-9a-f]{64}$/, uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ } as const;

/**
 * A script that does what was recorded, in as many round trips. What two recordings have in common stays as it is; ids and digests
 * in which they differ are made anew each time.
 */
export function scriptOf([first, second]: readonly [readonly Message[], readonly Message[]]): Script {
  const numbers = new Map<string, number>();
  return first.map((message, trip) => {
    const again = statementsIn(second[trip] ?? { text: "", values: [] });
    return statementsIn(message).map(({ text, values }, index) => {
      const other = again[index];
      if (other?.text !== text) throw new Error(`the second time it was not: ${text}`);
      return { text, parameters: values.map((value, at) => parameterOf(value, value !== other.values[at])) };
    });
  });

  function parameterOf(value: string | null, differs: boolean): Parameter {
    const fresh = (["digest", "uuid"] as const).find((kind) => differs && value !== null && FRESH[kind].test(value));
    if (fresh === undefined || value === null) return { value };
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return { fresh, number };
  }
}

const LITERAL = /(E?)'((?:[^']|'')*)'/g;

/** The statements of a message, their literals made parameters, except where there can be none. */
function statementsIn({ text, values }: Message): readonly Message[] {
  if (values.length > 0) return [{ text, values }];
  const literals: { written: string; value: string }[] = [];
  const outlined = text.replaceAll(LITERAL, (written, escaped: string, content: string) => {
    const plain = content.replaceAll("''", "'");
    literals.push({ written, value: escaped === "E" ? plain.replaceAll("\\\\", "\\") : plain });
    return "$0";
  });
  return outlined.split("; ").map((part) => {
    const settles = part.startsWith("set ");
    const own: string[] = [];
    const numbered = part.replaceAll("$0", () => {
      const { written = "", value = "" } = literals.shift() ?? {};
      return settles ? written : `$${own.push(value)}`;
    });
    return { text: numbered, values: own };
  });
}
