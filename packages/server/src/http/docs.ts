// The documents at /docs: files of the site that the build has made, read once at the start, without a key.
// A request is looked up among their names and never becomes a path on the disk.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Nothing from anywhere else, nothing inline, in nobody's frame. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Kept, but asked for each time: an upgrade changes the pages.
  "cache-control": "public, no-cache",
} as const;

export interface DocsFile {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** Where the build puts the site; the same from src/ and from dist/, which lie at the same depth. */
export function docsFolder(moduleUrl: string = import.meta.url): string {
  return fileURLToPath(new URL("../../dist/docs-site", moduleUrl));
}

/**
 * Every file of the site, by what stands behind `/docs/`: pages without `.html`, the first page under the empty name.
 * Empty when the site was not built, as in a test that starts from the sources.
 */
export function readDocs(folder: string): ReadonlyMap<string, DocsFile> {
  const files = new Map<string, DocsFile>();
  for (const name of namesIn(folder)) {
    const contentType = CONTENT_TYPES[extname(name)];
    if (contentType === undefined) continue;
    const body = readFileSync(join(folder, name));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    const path = name.replaceAll("\\", "/").replace(/\.html$/, "");
    files.set(path === "index" ? "" : path, { contentType, body, etag });
  }
  return files;
}

/** Adds `/docs`, `/docs/` and everything below; other methods than GET and HEAD meet the server's own 404. */
export function addDocsRoutes(app: FastifyInstance, files: ReadonlyMap<string, DocsFile>): void {
  // Links in the pages are relative, and so is this: a path in front of the server does no harm.
  app.get("/docs", (_request, reply) => reply.headers(HEADERS).header("location", "docs/").status(308).send());
  app.get("/docs/*", (request, reply) => {
    const path = (request.params as { "*": string })["*"];
    const file = files.get(path) ?? files.get(path.replace(/\.html$/, ""));
    return file === undefined ? sendNothing(reply, files.size > 0) : sendFile(request, reply, file);
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: DocsFile): FastifyReply {
  reply.headers(HEADERS).header("etag", file.etag);
  const known = request.headers["if-none-match"]?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (known?.includes(file.etag) || known?.includes("*")) return reply.status(304).send();
  return reply.header("content-type", file.contentType).send(file.body);
}

function sendNothing(reply: FastifyReply, isBuilt: boolean): FastifyReply {
  const text = isBuilt
    ? "There is no such page. The documents begin at /docs/.\n"
    : "The documents were not built. Run `npm run build`, and start again.\n";
  return reply.headers(HEADERS).header("content-type", "text/plain; charset=utf-8").status(404).send(text);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}
