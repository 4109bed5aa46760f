// The documents at /docs: which paths answer, with which headers, and that nothing else of the disk can be reached.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addDocsRoutes, readDocs } from "../../src/http/docs.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-docs-"));
let app: FastifyInstance;

beforeAll(async () => {
  const site = join(folder, "site");
  mkdirSync(join(site, "guides"), { recursive: true });
  writeFileSync(join(folder, "secret.html"), "not of the site");
  for (const [name, text] of Object.entries({
    "index.html": "<h1>first</h1>",
    "errors.html": "<h1>errors</h1>",
    "guides/retries.html": "<h1>retries</h1>",
    "style.css": "body{}",
    "notes.txt": "not served",
  }))
    writeFileSync(join(site, name), text);
  app = fastify();
  addDocsRoutes(app, readDocs(site));
  await app.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The path goes out as it stands; fetch would tidy it. */
function get(path: string, headers: Record<string, string> = {}, method = "GET") {
  const { port } = app.server.address() as AddressInfo;
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, headers, method }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    sent.on("error", reject).end();
  });
}

describe("the documents", () => {
  test("answer without a key, pages without their ending, with types and a policy that forbids everything foreign", async () => {
    const page = await get("/docs/errors?from=here");
    expect(page).toMatchObject({ status: 200, body: "<h1>errors</h1>" });
    expect(page.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "x-content-type-options": "nosniff",
      "cache-control": "public, no-cache",
    });
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(page.headers["content-security-policy"]).not.toContain("unsafe");
    expect(await get("/docs/")).toMatchObject({ status: 200, body: "<h1>first</h1>" });
    expect(await get("/docs/guides/retries.html")).toMatchObject({ status: 200, body: "<h1>retries</h1>" });
    expect((await get("/docs/style.css")).headers["content-type"]).toBe("text/css; charset=utf-8");
  });

  test("lead from /docs to the first page by a relative address, so that a path in front does no harm", async () => {
    const answer = await get("/docs");
    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe("docs/");
  });

  test("are not sent again to who has them", async () => {
    const { headers } = await get("/docs/errors");
    const again = await get("/docs/errors", { "if-none-match": `W/"x", ${headers.etag as string}` });
    expect(again).toMatchObject({ status: 304, body: "" });
    expect((await get("/docs/errors", { "if-none-match": '"other"' })).status).toBe(200);
    expect(await get("/docs/errors", {}, "HEAD")).toMatchObject({ status: 200, body: "" });
  });

  test.each([
    "/docs/../secret.html",
    "/docs/..%2fsecret.html",
    "/docs/%2e%2e/secret.html",
    "/docs/guides/../../secret.html",
    "/docs//etc/passwd",
    "/docs/..%5csecret.html",
    "/docs/errors%00.html",
    "/docs/notes.txt",
    "/docs/errors/",
    "/docs/__proto__",
  ])("%s is no page", async (path) => {
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain("not of the site");
    expect(answer.body).not.toContain("not served");
  });

  test("that were not built say how to build them", async () => {
    const bare = fastify();
    addDocsRoutes(bare, readDocs(join(folder, "nowhere")));
    const answer = await bare.inject("/docs/errors");
    expect(answer.statusCode).toBe(404);
    expect(answer.body).toContain("npm run build");
    await bare.close();
  });
});
