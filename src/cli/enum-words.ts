import type { DescEnum } from "@bufbuild/protobuf";

/** The values of an enum of the contract as people write them: `NOT_YET_VALID` as `not-yet-valid`. */
export interface EnumWords {
  readonly words: readonly string[];
  readonly wordOf: (value: number) => string;
  /** Undefined for a word that is none of `words`. */
  readonly numberOf: (word: string) => number | undefined;
}

/** The words of `desc`, without the one for "unspecified", which nobody asks for. */
export function enumWords(desc: DescEnum): EnumWords {
  const pairs = desc.values
    .filter(({ number }) => number !== 0)
    .map(({ localName, number }) => [localName.toLowerCase().replaceAll("_", "-"), number] as const);
  return {
    words: pairs.map(([word]) => word),
    // A newer service may know more values than this program.
    wordOf: (value) => pairs.find(([, number]) => number === value)?.[0] ?? (value === 0 ? "" : String(value)),
    numberOf: (word) => pairs.find(([name]) => name === word)?.[1],
  };
}
