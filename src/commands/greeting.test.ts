import { expect, it } from "vitest";
import { greetingOf } from "./greeting.ts";

const facts = {
  url: "http://127.0.0.1:8420",
  operationsUrl: "http://127.0.0.1:8421",
  dataDir: "/home/me/clavis/.clavis",
  workingDir: "/home/me/clavis",
};

it("says where the service and the management key are, and three commands that need nothing else", () => {
  const greeting = greetingOf(facts);
  expect(greeting).toContain("http://127.0.0.1:8420");
  expect(greeting).toContain("http://127.0.0.1:8421");
  expect(greeting).toContain(".clavis/management-key");
  expect(greeting.match(/npm run -s clavis -- /g)).toHaveLength(3);
  expect(greeting).not.toMatch(/--url|--key-file/);
});

it("gives commands the address and the key file where they would not find them", () => {
  const greeting = greetingOf({ ...facts, url: "http://127.0.0.1:9000", dataDir: "/var/lib/my data" });
  expect(
    greeting.match(/--url http:\/\/127\.0\.0\.1:9000 --key-file '\/var\/lib\/my data\/management-key'$/gm),
  ).toHaveLength(3);
});
