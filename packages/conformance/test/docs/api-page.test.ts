// Every curl line of docs/api.md, run as it stands against a real node: each reaches its route, and what it sends is
// valid. Ids in it are examples, so "there is no such thing" is an answer too.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { blocksOf, requireTool } from "./blocks.ts";

/** What an example may meet in an installation that has nothing of what it names, each with why. */
const ALSO_RIGHT: Readonly<Record<string, string>> = {
  NOT_FOUND: "the id is an example",
  CONFLICT: "the event type is one of the catalogue, which nobody changes",
  FORBIDDEN: "routes of the operator, who has another key",
  UNKNOWN_WEBHOOK: "the id or name in the body is an example",
};

let node: TestNode;

beforeAll(async () => {
  requireTool("bash", "bash");
  requireTool("curl", "curl");
  node = await startTestNode();
});
afterAll(() => node?.stop());

async function run(command: string): Promise<string> {
  const child = spawn("bash", ["-c", command.replaceAll("curl ", "curl -sS ")], {
    env: { PATH: process.env["PATH"] ?? "", POSTHORN_URL: node.node.url, POSTHORN_API_KEY: TEST_API_KEY },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await once(child, "close");
  return output;
}

test("every curl line is taken by the server as it stands", async () => {
  const blocks = blocksOf("api.md").filter(({ language }) => language === "sh");
  expect(blocks.length).toBeGreaterThan(40);
  const wrong: string[] = [];
  for (const { text, place } of blocks) {
    const output = await run(text);
    const answer = JSON.parse(output) as {
      success?: boolean;
      openapi?: string;
      error?: { code: string; details: { code: string }[] };
    };
    const { code = "", details = [] } = answer.error ?? {};
    const isExample =
      code in ALSO_RIGHT || (details.length > 0 && details.every((detail) => detail.code in ALSO_RIGHT));
    const isRight = answer.success === true || answer.openapi !== undefined || isExample;
    if (!isRight) wrong.push(`${place}\n${text}${output}`);
  }
  expect(wrong).toEqual([]);
}, 90_000);
