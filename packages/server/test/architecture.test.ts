// Enforces the layout: who may import whom, where SQL, time, chance and sockets may stand, and which words we use.
// A rule is loosened here, with its reason, or not at all.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const packagesDir = fileURLToPath(new URL("../../", import.meta.url));
const serverDir = join(packagesDir, "server", "src");

interface SourceFile {
  /** From the server's src folder, with slashes: `capture/capture.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments; strings are kept. */
  readonly code: string;
}

function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => {
      const text = readFileSync(file, "utf8");
      return { path: relative(folder, file).split(sep).join("/"), text, code: withoutComments(text) };
    });
}

/** Good enough for code that a formatter wrote: a `//` inside a string follows a colon (https://) or a quote. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[\s;,{}()])\/\/.*$/gm, "$1");
}

const sources = readSources(serverDir);
const everywhere = [...sources, ...readSources(join(packagesDir, "contract", "src"))];

interface Import {
  readonly from: string;
  readonly names: string;
  readonly isTypeOnly: boolean;
}

function importsOf({ code }: SourceFile): Import[] {
  const found: Import[] = [];
  for (const match of code.matchAll(/\b(import|export)\s+(type\s+)?([^"';]*?)\s*\bfrom\s+"([^"]+)"/g)) {
    found.push({ from: match[4] as string, names: match[3] as string, isTypeOnly: match[2] !== undefined });
  }
  for (const match of code.matchAll(/\bimport\s*\(?\s*"([^"]+)"/g)) {
    found.push({ from: match[1] as string, names: "*", isTypeOnly: false });
  }
  return found;
}

/** The top folder that a relative import leads to; null for packages. */
function folderOfImport(file: SourceFile, from: string): string | null {
  if (!from.startsWith(".")) return null;
  const target = normalize(join(dirname(file.path), from)).split(sep);
  return target.length > 1 ? (target[0] as string) : "";
}

/** Exceptions by path, each with its reason. One that is no longer needed fails too. */
type Exceptions = Readonly<Record<string, string>>;

/** The files that break a rule without being excepted, and the exceptions that nothing needs. */
function breaches(found: readonly string[], exceptions: Exceptions): string[] {
  const isExcepted = (path: string): boolean => Object.keys(exceptions).some((prefix) => path.startsWith(prefix));
  const unused = Object.keys(exceptions).filter((prefix) => !found.some((path) => path.startsWith(prefix)));
  return [...found.filter((path) => !isExcepted(path)), ...unused.map((prefix) => `no longer needed: ${prefix}`)];
}

const pathsOf = (files: readonly SourceFile[]): string[] => files.map((file) => file.path);
const topFolder = (file: SourceFile): string => (file.path.includes("/") ? (file.path.split("/")[0] as string) : "");

const STAGES = ["capture", "route", "deliver", "record"];
/** Beside the flow: they change it by writing rows. */
const BESIDE = ["manage", "replay", "maintain", "backup"];
/** What wires: the files at the top, the parts of compose.ts, and what starts several processes of it. */
const WIRING = ["", "compose", "processes"];
/** Under everything: they know no stage. */
const UNDER = ["security", "storage", "integrations", "catalogue", "expressions", "observe", "lib"];

const MAY_LOOK_UP: Exceptions = {
  "lib/offload-thread.ts": "the entry of another thread, which wires its own parts as compose.ts does",
};
const MAY_OPEN_SOCKETS: Exceptions = {
  "security/outbound/": "the one guarded client",
  "storage/embedded/server-process.ts": "looks for a free port where there are no Unix sockets",
};
/** How statements run, or advice to a person, not statements. */
const MAY_HOLD_SQL: Exceptions = {
  "storage/pools.ts": "begin, commit and the setting that names the tenant",
  "storage/schema-dump.ts": "writes SQL as text",
  "storage/server-check.ts": "tells an operator what to run",
  "storage/connection-problems.ts": "tells an operator what to run",
};
const MAY_ASK_THE_CLOCK: Exceptions = {
  "lib/clock.ts": "where the parameter gets its real value",
  "security/outbound/client.ts": "default of its clock parameter",
  "storage/embedded/server-process.ts": "waits for a child process, before there is a database whose time matters",
  "storage/embedded/supervisor.ts": "paces restarts of a child process",
};
const MAY_READ_THE_ENVIRONMENT: Exceptions = {
  "storage/embedded/cluster.ts": "hands the locale and PATH on to a child process",
};

describe("imports", () => {
  test("a stage never imports another stage, nor what stands before it or beside it", () => {
    expect(importsBetween(STAGES, [...STAGES, ...BESIDE, "http", ...WIRING])).toEqual([]);
  });

  test("what stands beside the flow imports neither a stage nor http", () => {
    expect(importsBetween(BESIDE, [...STAGES, "http", ...WIRING])).toEqual([]);
  });

  test("what lies under everything imports nothing above it", () => {
    expect(breaches(importsBetween(UNDER, [...STAGES, ...BESIDE, "http", ...WIRING]), MAY_LOOK_UP)).toEqual([]);
  });

  test("only the files at the top know the parts of compose.ts", () => {
    expect(importsBetween(["http"], WIRING)).toEqual([]);
  });

  test("every folder has a place in these rules", () => {
    const folders = new Set(sources.map(topFolder));
    for (const known of ["http", ...WIRING, ...STAGES, ...BESIDE, ...UNDER]) folders.delete(known);
    expect([...folders]).toEqual([]);
  });

  function importsBetween(fromFolders: string[], toFolders: string[]): string[] {
    return sources
      .filter((file) => fromFolders.includes(topFolder(file)))
      .flatMap((file) =>
        importsOf(file)
          .map(({ from }) => ({ from, folder: folderOfImport(file, from) }))
          .filter(({ folder }) => folder !== null && folder !== topFolder(file) && toFolders.includes(folder))
          .map(({ from }) => `${file.path} imports ${from}`),
      );
  }

  const NETWORK = /^(node:)?(net|tls|http|https|http2|dgram|dns|dns\/promises)$|^undici$/;
  /** Pure functions on texts, and types, open no socket. */
  const HARMLESS_NAMES = /^\{\s*((type \w+|isIP|isIPv4|isIPv6|STATUS_CODES)(,\s*)?)+\s*\}$/;
  test("only the guarded client opens sockets (the API listens through its framework)", () => {
    const opening = sources.filter((file) =>
      importsOf(file).some(
        ({ from, names, isTypeOnly }) => NETWORK.test(from) && !isTypeOnly && !HARMLESS_NAMES.test(names),
      ),
    );
    expect(breaches(pathsOf(opening), MAY_OPEN_SOCKETS)).toEqual([]);
  });

  test("the API listens and never calls out", () => {
    const calling = sources
      .filter((file) => file.path.startsWith("http/"))
      .filter((file) => importsOf(file).some(({ from }) => from === "undici") || /\bfetch\(/.test(file.code));
    expect(calling.map((file) => file.path)).toEqual([]);
  });

  test("contract depends on nothing", () => {
    const outside = readSources(join(packagesDir, "contract", "src")).flatMap((file) =>
      importsOf(file).filter(({ from }) => !from.startsWith(".") && !from.startsWith("node:")),
    );
    expect(outside).toEqual([]);
  });
});

describe("statements, time and chance", () => {
  const SQL =
    /[`"']\s*(select\s+(\w|\$|\*|\()|insert into |update \w+ (as \w+ |\w )?set |delete from |with (recursive )?\w+ (\([^)]*\) )?as |create (table|index|role|database) |alter (table|role) |drop (table|index|role|database) |truncate |vacuum |listen |notify |lock table )/;
  test("SQL stands in *.sql.ts only", () => {
    const holding = sources.filter((file) => !file.path.endsWith(".sql.ts") && SQL.test(file.code));
    expect(breaches(pathsOf(holding), MAY_HOLD_SQL)).toEqual([]);
  });

  test("nobody claims rows one by one: the owner of a lane is the claim", () => {
    expect(pathsOf(everywhere.filter((file) => /skip\s+locked/i.test(file.code)))).toEqual([]);
  });

  const CLOCK = /\bDate\.now\(|\bnew Date\(\s*\)|\bperformance\.now\(|\bprocess\.hrtime\b|\bMath\.random\(/;
  test("time and chance are parameters", () => {
    const asking = sources.filter((file) => CLOCK.test(file.code));
    expect(breaches(pathsOf(asking), MAY_ASK_THE_CLOCK)).toEqual([]);
  });

  test("settings come from the table of settings: nothing inside the program reads the environment", () => {
    const reading = sources.filter((file) => /\bprocess\.env\b/.test(file.code));
    expect(breaches(pathsOf(reading), MAY_READ_THE_ENVIRONMENT)).toEqual([]);
  });
});

describe("habitability", () => {
  test("every file opens by saying what it is for", () => {
    expect(everywhere.filter((file) => !file.text.startsWith("// ")).map((file) => file.path)).toEqual([]);
  });

  test("no file is so long that it wants a split", () => {
    const long = everywhere.filter((file) => file.text.split("\n").length > 500);
    expect(long.map((file) => file.path)).toEqual([]);
  });

  test("only a package's door re-exports", () => {
    const barrels = everywhere.filter(
      (file) => file.path !== "index.ts" && /^export (type )?(\*|\{[^}]*\}) from/m.test(file.code),
    );
    expect(barrels.map((file) => file.path)).toEqual([]);
  });
});

describe("words", () => {
  const AVOIDED =
    /^(applications?|projects?|workspaces?|accounts?|topics?|destinations?|sinks?|dashboards?|resends?|redeliver(y|ies|s)?|instances?|workers?)$/i;
  const wordsOf = (name: string): string[] => name.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/);
  const holdsAvoided = (name: string): boolean => wordsOf(name).some((word) => AVOIDED.test(word));

  const schema = readFileSync(new URL("../schema.sql", import.meta.url), "utf8");
  const columns = [...schema.matchAll(/^ {2}(?!constraint )(\w+) /gm)].map((match) => match[1] as string);
  const objects = [...schema.matchAll(/^create (?:unique )?(?:table|index|sequence) (\w+)/gim)].map(
    (match) => match[1] as string,
  );

  test("no table, index or column is named by a word that we avoid", () => {
    expect(objects.length).toBeGreaterThan(20);
    expect([...objects, ...columns].filter(holdsAvoided)).toEqual([]);
  });

  test("no route is", () => {
    const paths = sources
      .filter((file) => file.path.startsWith("http/"))
      .flatMap((file) => [...file.code.matchAll(/["'`](\/[a-z][\w/{}:.-]*)["'`]/g)].map((match) => match[1] as string));
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter(holdsAvoided)).toEqual([]);
  });

  /** Names that PostgreSQL chose. */
  const FOREIGN_FIELDS = ["application_name"];

  test("no field is", () => {
    const fields = everywhere.flatMap((file) =>
      [...file.code.matchAll(/(?:^|[{,;(])\s*(?:readonly )?(\w+)\??:/gm)].map((match) => match[1] as string),
    );
    expect(fields.length).toBeGreaterThan(100);
    expect([...new Set(fields)].filter((name) => holdsAvoided(name) && !FOREIGN_FIELDS.includes(name))).toEqual([]);
  });

  test("the door to distribution by tenant stays open: the tenant leads every key, and no foreign keys", () => {
    expect(schema).not.toMatch(/foreign key|references /i);
    const ofTheInstallation = ["config_version", "lane", "module_watch", "node", "schema_migration", "tenant"];
    const keys = [...schema.matchAll(/^create table (\w+) \(\n([\s\S]*?)\n\)/gm)]
      .filter((match) => !ofTheInstallation.includes(match[1] as string))
      .map((match) => `${match[1]}: ${/(PRIMARY KEY|UNIQUE) \((.*?)\)/.exec(match[2] as string)?.[2]}`);
    expect(keys.length).toBeGreaterThan(15);
    expect(keys.filter((key) => !/: tenant_id, /.test(key))).toEqual([]);
  });
});
