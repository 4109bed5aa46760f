// Writes the pages and tables of the documents that come from tables in the code, or checks that they are up to date:
// docs/api.md, cli.md, catalogue.md, catalogue/*.md, errors.md, settings.md, and in README.md what stands between the marks.
// Needs a build (npm run build). It must never change a line outside those marks, nor print the value of a setting.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { apiPage } from "./docs/api-page.mjs";
import { cataloguePages } from "./docs/catalogue-pages.mjs";
import { cliPage } from "./docs/cli-page.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const WRITTEN_BY = "<!-- Written by scripts/docs-pages.mjs from the code. Do not edit. -->";

const mode = process.argv[2];
if (mode !== "--write" && mode !== "--check") {
  console.error("Usage: node scripts/docs-pages.mjs --write | --check");
  process.exit(2);
}
if (!existsSync(join(root, "packages", "server", "dist", "index.js"))) {
  console.error("The packages are not built. Run `npm run build` first.");
  process.exit(2);
}
const built = (path) => import(pathToFileURL(join(root, "packages", ...path.split("/"))).href);
const { ERRORS } = await built("contract/dist/index.js");
const { SETTINGS } = await built("server/dist/lib/settings.js");
const { routesToRead } = await built("server/dist/http/routes.js");
const { openApiDocument } = await built("server/dist/http/openapi.js");
const { COMMAND_GROUPS } = await built("cli/dist/command-table.js");
const { Command } = createRequire(join(root, "packages", "cli", "package.json"))("commander");
const { loadCatalogue } = await built("server/dist/catalogue/load.js");
const { WEBHOOK_FIELD_HINTS } = await built("server/dist/manage/webhook-fields.js");

/** A Markdown table. A `|` inside a cell would end it. */
function table(headings, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Lines of up to 120 characters, broken at blanks. */
const wrapped = (text) => text.replaceAll(/(.{1,120})(?: |$)/g, "$1\n").trimEnd();

const code = (text) => `\`${text}\``;

// --- errors ----------------------------------------------------------------------------------------------------------

function errorsPage() {
  const entries = Object.entries(ERRORS).sort(([a, { status: x }], [b, { status: y }]) => x - y || a.localeCompare(b));
  const section = ([name, entry]) =>
    [
      `## ${name}`,
      `HTTP ${entry.status}. ${entry.message}`,
      `**What to do:** ${entry.help}`,
      entry.retryable
        ? "The same request may succeed later, unchanged."
        : "The same request, unchanged, will fail again.",
    ].join("\n\n");
  return `# Errors

${WRITTEN_BY}

Every code that the API can answer with. Codes are never renamed and never used again for something else; decide by
\`error.code\`, not by the message. A failure looks like this; \`details\` names the fields concerned, each with a code
from this page or one that only details have:

\`\`\`json
{
  "success": false,
  "error": {
    "code": "NOT_FOUND",
    "message": "There is no such webhook.",
    "details": [],
    "requestId": "req_01KATEK0G3F3Q8T9W7M1N5V2XB",
    "timestamp": "2026-11-23T08:00:00.000Z",
    "documentation": "/docs/errors#NOT_FOUND"
  },
  "meta": { "requestId": "req_01KATEK0G3F3Q8T9W7M1N5V2XB", "timestamp": "2026-11-23T08:00:00.000Z" }
}
\`\`\`

${entries.map(section).join("\n\n")}
`;
}

// --- settings --------------------------------------------------------------------------------------------------------

const defaultOf = (setting) => (setting.default === undefined || setting.default === "" ? "none" : setting.default);

function settingsPage() {
  const section = (setting) => `## ${setting.env}

${setting.description}

${table(
  ["flag", "default", "secret"],
  [
    [
      code(`--${setting.flag}`),
      defaultOf(setting) === "none" ? "none" : code(defaultOf(setting)),
      setting.secret ? "yes: masked wherever settings are shown" : "no",
    ],
  ],
)}`;
  return `# Settings

${WRITTEN_BY}

\`posthorn serve\` and \`posthorn migrate\` read them from the environment, or as flags; a flag wins. An empty variable
counts as absent. A variable that begins with \`POSTHORN_\` and is not listed here stops the start with
\`UNKNOWN_SETTING\`, so that a misspelt one is never a silent default. The exceptions are \`POSTHORN_URL\` and
\`POSTHORN_API_KEY\`, kept for commands that talk to a server, and names that begin with \`POSTHORN_TEST_\`.

With \`npm start\`, flags go after two dashes: \`npm start -- --port 8421\`.

${Object.values(SETTINGS).map(section).join("\n\n")}
`;
}

// --- fields ----------------------------------------------------------------------------------------------------------

const fieldsNotYet = () => wrapped(`${[...WEBHOOK_FIELD_HINTS.notYet].sort().map(code).join(", ")}.`);

// --- writing or checking ---------------------------------------------------------------------------------------------

/** The text with what stands between each pair of marks replaced. */
function withRegions(text, regions) {
  return Object.entries(regions).reduce((whole, [name, content]) => {
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`README.md has lost its marks ${begin} … ${end}`);
    return `${whole.slice(0, from + begin.length)}\n\n${content}\n\n${whole.slice(to)}`;
  }, text);
}

const catalogue = cataloguePages(await loadCatalogue(join(root, "catalogue")), WRITTEN_BY, table);
const readme = readFileSync(join(root, "README.md"), "utf8");
const documents = {
  // Without the version: the page changes with the API, not with each release.
  "docs/api.md": apiPage(openApiDocument(routesToRead(), ""), WRITTEN_BY, table),
  "docs/cli.md": await cliPage(COMMAND_GROUPS, Command, WRITTEN_BY),
  ...Object.fromEntries(Object.entries(catalogue).map(([path, page]) => [`docs/${path}`, page])),
  "docs/errors.md": errorsPage(),
  "docs/settings.md": settingsPage(),
  "README.md": withRegions(readme, { "fields not yet": fieldsNotYet() }),
};

for (const [name, content] of Object.entries(documents)) {
  const path = join(root, name);
  const isCurrent = existsSync(path) && readFileSync(path, "utf8") === content;
  if (isCurrent) continue;
  if (mode === "--write") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    console.log(`${name} written.`);
  } else {
    console.error(`${name} is not what the code says. Run \`npm run build && node scripts/docs-pages.mjs --write\`.`);
    process.exitCode = 1;
  }
}
// A resource that is gone leaves its page behind.
for (const name of readdirSync(join(root, "docs", "catalogue")).map((file) => `catalogue/${file}`)) {
  if (name in catalogue) continue;
  if (mode === "--write") rmSync(join(root, "docs", name));
  else {
    console.error(`docs/${name} is of no resource any more. Remove it.`);
    process.exitCode = 1;
  }
}
if (process.exitCode !== 1) console.log("The documents say what the code says.");
