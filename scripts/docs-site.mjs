// Makes the documents (docs/**/*.md) a site of static files, which the server serves at /docs. Run by the build.
// `--check` writes nothing and looks for what a reader would stumble over: dead links and anchors, pages left out.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { readPage } from "./docs/markdown.mjs";
import { LEFT_OUT, NAVIGATION, PARENTS } from "./docs/navigation.mjs";
import { pageHtml } from "./docs/page-html.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = join(root, "docs");
const ASSETS = join(root, "scripts", "docs", "site");
const SITE = join(root, "packages", "server", "dist", "docs-site");
/** Of a section's text, how much the search looks through. */
const SEARCHED_CHARACTERS = 600;

/** Reads every page. `problems` are sentences; a site can be made all the same. */
export function readDocs(folder = SOURCES) {
  const files = readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => !LEFT_OUT.includes(name.split("/")[0]));
  const paths = files.filter((name) => name.endsWith(".md")).map((name) => name.slice(0, -".md".length));
  const images = files.filter((name) => name.endsWith(".svg"));
  const pages = new Map(
    paths.map((path) => {
      const source = readFileSync(join(folder, `${path}.md`), "utf8");
      return [path, { path, ...readPage(source, (href) => addressOf(path, href)) }];
    }),
  );
  return { pages, images, problems: problemsOf(pages, images) };
}

/** From one page to another, both as paths of the site; pages lie at `/docs/<path>`, the first one at `/docs/`. */
function relative(from, to) {
  const up = "../".repeat(from.split("/").length - 1);
  return up + (to === "index" ? "" : to) || "./";
}

/** Where a link of the Markdown leads on the site; null for what lies in the repository and not in the site. */
function addressOf(page, href) {
  if (/^[a-z]+:/i.test(href) || href.startsWith("#")) return href;
  // Of the server itself: /v1/openapi.json. Written relative, so that a path in front of the server does no harm.
  if (href.startsWith("/")) return "../".repeat(page.split("/").length) + href.slice(1);
  const [file, anchor] = href.split("#", 2);
  const target = posix.normalize(posix.join(posix.dirname(page), file));
  if (target.startsWith("..")) return null;
  const path = target.replace(/\.md$/, "");
  return relative(page, path) + (anchor === undefined ? "" : `#${anchor}`);
}

function problemsOf(pages, images) {
  const problems = [];
  const listed = NAVIGATION.flatMap(({ pages: names }) => names);
  for (const path of listed) if (!pages.has(path)) problems.push(`docs/${path}.md is in the navigation but not there.`);
  for (const [path, page] of pages) {
    if (!listed.includes(path) && !PARENTS.includes(posix.dirname(path)))
      problems.push(`docs/${path}.md is not in scripts/docs/navigation.mjs.`);
    if (page.title === "") problems.push(`docs/${path}.md has no heading of the first level.`);
    for (const href of page.links) {
      const problem = deadLink(path, href, pages, images);
      if (problem !== null) problems.push(`docs/${path}.md: ${problem}`);
    }
  }
  return problems;
}

function deadLink(page, href, pages, images) {
  if (/^[a-z]+:/i.test(href) || href.startsWith("/")) return null;
  const [file, anchor] = href.split("#", 2);
  const target = file === "" ? `${page}.md` : posix.normalize(posix.join(posix.dirname(page), file));
  if (target.startsWith("..")) {
    const inRepository = join(root, "docs", target);
    return existsSync(inRepository) ? null : `the link to ${href} leads nowhere.`;
  }
  if (images.includes(target)) return null;
  const found = pages.get(target.replace(/\.md$/, ""));
  if (found === undefined) return `the link to ${href} leads nowhere.`;
  return anchor === undefined || found.ids.has(anchor) ? null : `${href}: there is no such heading.`;
}

/** Writes the site, all at once: whoever reads the folder meanwhile sees the old one or the new one. */
export function writeSite(target = SITE) {
  const { pages, images } = readDocs();
  const titles = new Map([...pages].map(([path, { title }]) => [path, title]));
  const fresh = `${target}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  const write = (path, text) => {
    const file = join(fresh, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  for (const [path, page] of pages) {
    write(
      `${path}.html`,
      pageHtml(page, titles, (to) => (to === "" ? relative(path, "index") : relative(path, to))),
    );
  }
  write("search.json", JSON.stringify(searchIndex(pages)));
  for (const image of images) write(image, readFileSync(join(SOURCES, image), "utf8"));
  for (const name of readdirSync(ASSETS)) copyFileSync(join(ASSETS, name), join(fresh, name));
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
  return pages.size;
}

/** One entry a section: page's title, heading, address from the site's root, text. */
function searchIndex(pages) {
  const order = NAVIGATION.flatMap(({ pages: names }) => names);
  const placeOf = (path) => order.indexOf(order.includes(path) ? path : posix.dirname(path));
  const entries = [...pages.values()].sort((a, b) => placeOf(a.path) - placeOf(b.path));
  return entries.flatMap(({ path, title, sections }) =>
    sections.map(({ id, heading, text }, index) => [
      title,
      index === 0 ? "" : heading,
      (path === "index" ? "" : path) + (index === 0 ? "" : `#${id}`),
      text.trim().slice(0, SEARCHED_CHARACTERS),
    ]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "--check") {
    const { problems } = readDocs();
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) process.exitCode = 1;
    else console.log("Every page is in the navigation, and every link leads somewhere.");
  } else {
    const count = writeSite();
    console.log(`${count} pages written.`);
  }
}
