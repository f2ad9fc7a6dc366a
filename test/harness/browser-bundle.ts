import { rolldown } from "rolldown";

export interface BrowserBundle {
  /** One module. */
  readonly code: string;
  /** What it imports all the same, because it is not there for browsers, such as `node:http2`. */
  readonly imports: readonly string[];
}

/** The module at `entry`, an absolute path, and all that it imports, as one module for browsers. */
export async function bundleForBrowsers(entry: string): Promise<BrowserBundle> {
  await using bundle = await rolldown({
    input: entry,
    platform: "browser",
    // As the SDK is published, so that browsers need not know more than that.
    transform: { target: "es2024" },
    // What cannot be resolved is not warned of: it is among `imports`.
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  const [{ code, imports, dynamicImports }] = output;
  return { code, imports: [...imports, ...dynamicImports] };
}
