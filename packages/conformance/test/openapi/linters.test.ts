// The reference held against linters that nobody here wrote: no error, no warning.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApiDocument } from "../../../server/src/http/openapi.ts";
import { routesToRead } from "../../../server/src/http/routes.ts";

const run = promisify(execFile);
const redocly = join(import.meta.dirname, "..", "..", "..", "..", "node_modules", "@redocly", "cli", "bin", "cli.js");
const document = openApiDocument(routesToRead(), "0.1.0");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "posthorn-openapi-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Problem {
  readonly ruleId: string;
  readonly severity: string;
  readonly message: string;
}

/** What Redocly's recommended rules find; it talks to nobody. */
async function lint(text: string): Promise<Problem[]> {
  const file = join(folder, "openapi.json");
  writeFileSync(file, text);
  const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", CI: "true" };
  const args = [redocly, "lint", file, "--extends=recommended", "--format=json", "--max-problems=1000"];
  // It ends with 1 when it finds errors; its findings are on standard output either way.
  const { stdout } = await run(process.execPath, args, { env, cwd: folder, maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? "" }),
  );
  return (JSON.parse(stdout.slice(stdout.indexOf("{"))) as { problems: Problem[] }).problems;
}

describe("Redocly", () => {
  test("finds nothing to say about the document", async () => {
    expect(await lint(JSON.stringify(document))).toEqual([]);
  });

  test("finds what is wrong when something is", async () => {
    const broken = JSON.stringify(document).replaceAll(
      '"operationId":"getWebhooksById"',
      '"operationId":"getWebhooks"',
    );
    expect((await lint(broken)).map((problem) => problem.ruleId)).toContain("operation-operationId-unique");
  });
});

describe("openapi-schema-validator", () => {
  test("takes the document as OpenAPI 3.1", async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document) as never);
    expect(result).toMatchObject({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  test("refuses one without paths' responses", async () => {
    const broken = structuredClone(document) as { paths: Record<string, unknown> };
    broken.paths["/nothing"] = { get: { responses: "none" } };
    expect(await new Validator().validate(broken as never)).toMatchObject({ valid: false });
  });
});
