import { type Browser, chromium } from "playwright-core";
import { findInstalled } from "./debian-program.ts";
import { sayMissing } from "./missing.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Beyond what Playwright gives: no drivers that machines without a screen lack, and TCP alone. */
const FLAGS = ["--disable-gpu", "--disable-quic"];

/**
 * A Chromium without a window, whose profile is new and goes with it: the one on the path, or the one that
 * `TEST_CHROMIUM` names.
 *
 * Undefined if there is none to be had, which is said loudly; an error where `REQUIRE_CHROMIUM=1`.
 */
export async function openChromium(): Promise<Browser | undefined> {
  const executablePath = process.env.TEST_CHROMIUM || (await findInstalled(NAMES));
  if (executablePath === undefined) {
    return sayMissing("Chromium", "REQUIRE_CHROMIUM", "install it, or name its executable in TEST_CHROMIUM");
  }
  // Chromium's sandbox refuses root, which tests in containers run as. They show it nothing but their own pages.
  return await chromium.launch({ executablePath, args: FLAGS, chromiumSandbox: false });
}
