// The documents as a site: complete, without a dead link, harmless in a strict browser, and reachable from an error.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ERRORS } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readDocs as readSite } from "../../../server/src/http/docs.ts";
import { ROOT } from "./blocks.ts";

interface Builder {
  readDocs(folder?: string): { problems: string[] };
  writeSite(target: string): number;
}
interface Reader {
  readPage(source: string, linkOf: (href: string) => string | null): { html: string; ids: Set<string> };
}

const folder = mkdtempSync(join(tmpdir(), "posthorn-site-"));
const site = join(folder, "site");
let builder: Builder;
let pages: Map<string, string>;

beforeAll(async () => {
  builder = (await import(pathToFileURL(join(ROOT, "scripts", "docs-site.mjs")).href)) as Builder;
  builder.writeSite(site);
  pages = new Map(
    [...readSite(site)]
      .filter(([, { contentType }]) => contentType.startsWith("text/html"))
      .map(([path, { body }]) => [path, body.toString()]),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the site", () => {
  test("holds every page, and every link leads somewhere", () => {
    expect(builder.readDocs().problems).toEqual([]);
    expect(pages.size).toBeGreaterThan(30);
  });

  test("explains every error code at the address that answers name", () => {
    const errors = pages.get("errors") ?? "";
    const missing = Object.keys(ERRORS).filter((code) => !errors.includes(`<h2 id="${code}">`));
    expect(missing).toEqual([]);
  });

  test("has no inline script or style, asks nobody else, and every file that it asks for is there", () => {
    const files = readSite(site);
    for (const [path, html] of pages) {
      expect(html, path).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i);
      expect(html, path).not.toMatch(/<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?\/\//i);
      for (const [, address] of html.matchAll(/<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"/g)) {
        const target = new URL(address ?? "", `http://site/docs/${path}`).pathname.replace("/docs/", "");
        expect([...files.keys()], `${path} asks for ${address}`).toContain(target);
      }
    }
  });

  test("has one heading of the first level on each page, a language, a title, and a way past the navigation", () => {
    for (const [path, html] of pages) {
      expect(html.match(/<h1/g), path).toHaveLength(1);
      expect(html, path).toContain('<html lang="en">');
      expect(html, path).toMatch(/<title>[^<]+<\/title>/);
      expect(html, path).toContain('<a class="skip" href="#content">');
    }
  });

  test("links between pages lead to pages, also from folders below", () => {
    for (const [path, html] of pages) {
      for (const [, address] of html.matchAll(/<a [^>]*?href="([^"#]+)(?:#[^"]*)?"/g)) {
        const { pathname, host } = new URL(address ?? "", `http://site/docs/${path}`);
        if (host !== "site" || !pathname.startsWith("/docs/")) continue;
        expect(pages.has(pathname.replace("/docs/", "")), `${path} links to ${address}`).toBe(true);
      }
    }
  });

  test("can be searched for what stands in it", () => {
    const index = JSON.parse(readFileSync(join(site, "search.json"), "utf8")) as string[][];
    const found = (word: string) => index.filter((entry) => entry.join(" ").includes(word)).map(([title]) => title);
    expect(found("PRECONDITION_FAILED")).toContain("Errors");
    expect(found("POSTHORN_ALLOW_TARGETS")).toContain("Settings");
    expect(found("sales_order.created")).toContain("Event types");
  });

  test("leaves nothing beside itself when it is written again", () => {
    builder.writeSite(site);
    expect(readdirSync(folder)).toEqual(["site"]);
  });

  test("shows HTML of a source as text", async () => {
    const { readPage } = (await import(pathToFileURL(join(ROOT, "scripts/docs/markdown.mjs")).href)) as Reader;
    const { html } = readPage(
      "# A\n\n<script>alert(1)</script> <!-- gone -->\n\n[x](javascript:alert(1))\n",
      () => null,
    );
    expect(html).not.toContain("<script>");
    expect(html).not.toContain("gone");
    expect(html).not.toContain('href="javascript:');
  });
});
