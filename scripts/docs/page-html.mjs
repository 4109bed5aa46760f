// The frame around a page: head, navigation, contents, the way on. Plain HTML that works without scripts; the one
// script (search, copying) is a file of its own, so that the page holds no inline script or style.
import { NAVIGATION } from "./navigation.mjs";

const escape = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A page below another one is found through that one: `catalogue/invoice` through `catalogue`. */
const listedAs = (path) => (NAVIGATION.some(({ pages }) => pages.includes(path)) ? path : path.replace(/\/[^/]*$/, ""));

/** Contents of a long page name its main sections only. */
const MAX_CONTENTS = 40;

/**
 * @param {{ path: string, title: string, html: string, headings: { level: number, id: string, text: string }[] }} page
 * @param {Map<string, string>} titles of all pages, by path
 * @param {(path: string) => string} hrefOf the address of a page or file as seen from this page
 */
export function pageHtml(page, titles, hrefOf) {
  const title = page.path === "index" ? "Posthorn" : `${page.title} · Posthorn`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<link rel="stylesheet" href="${hrefOf("style.css")}">
<link rel="icon" href="${hrefOf("icon.svg")}" type="image/svg+xml">
<script src="${hrefOf("site.js")}" defer data-index="${hrefOf("search.json")}" data-root="${hrefOf("")}"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="brand" href="${hrefOf("index")}">Posthorn</a>
<form role="search" id="search" hidden>
<input type="search" id="query" placeholder="Search  ( / )" aria-label="Search the documents" aria-controls="found" autocomplete="off" spellcheck="false">
<ol id="found" hidden aria-label="Found"></ol>
</form>
</header>
<div class="frame">
${navigation(page.path, titles, hrefOf)}
<main id="content" tabindex="-1">
${page.html}${wayOn(page.path, titles, hrefOf)}
</main>
${contents(page)}
</div>
</body>
</html>
`;
}

function navigation(path, titles, hrefOf) {
  const current = listedAs(path);
  const link = (page) =>
    `<li><a href="${hrefOf(page)}"${page === current ? ' aria-current="page"' : ""}>${escape(titles.get(page) ?? page)}</a></li>`;
  const groups = NAVIGATION.map(
    ({ title, pages }) => `<h2>${escape(title)}</h2>\n<ul>\n${pages.map(link).join("\n")}\n</ul>`,
  ).join("\n");
  // Twice: beside the text where there is room, folded above it where there is none. CSS shows one of them.
  return `<nav class="side" aria-label="Pages">\n${groups}\n</nav>
<details class="menu"><summary>Pages</summary><nav aria-label="Pages">\n${groups}\n</nav></details>`;
}

function contents({ headings }) {
  const below = headings.filter(({ level }) => level === 2 || level === 3);
  const shown = below.length > MAX_CONTENTS ? below.filter(({ level }) => level === 2) : below;
  if (shown.length < 2) return "";
  const items = shown.map(({ level, id, text }) => `<li class="l${level}"><a href="#${id}">${escape(text)}</a></li>`);
  return `<nav class="contents" aria-label="On this page">\n<h2>On this page</h2>\n<ul>\n${items.join("\n")}\n</ul>\n</nav>`;
}

function wayOn(current, titles, hrefOf) {
  const order = NAVIGATION.flatMap(({ pages }) => pages);
  const at = order.indexOf(listedAs(current));
  const link = (path, relation, arrow) =>
    path === undefined
      ? ""
      : `<a rel="${relation}" href="${hrefOf(path)}">${arrow(escape(titles.get(path) ?? path))}</a>`;
  const previous = link(order[at - 1], "prev", (title) => `← ${title}`);
  const next = at === -1 ? "" : link(order[at + 1], "next", (title) => `${title} →`);
  return `<footer class="way">${previous}${next}</footer>`;
}
