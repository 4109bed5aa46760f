// Copies of the built server with one promise broken on purpose: they show that the proof can fail.
// Must never change what was built, and must refuse to run when a patch does not fit exactly once.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUILT } from "./child-node.ts";

export interface Mutation {
  /** Under `dist`. */
  readonly file: string;
  readonly find: string;
  readonly replaceBy: string;
}

export interface Mutant {
  /** For `startNode({ dist })`. */
  readonly dist: string;
  remove(): void;
}

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));

/** Lays the copy out like the repository, so that it finds its packages, migrations and catalogue where it expects them. */
export function createMutant({ file, find, replaceBy }: Mutation): Mutant {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-mutant-"));
  const server = join(folder, "packages", "server");
  mkdirSync(server, { recursive: true });
  for (const name of ["node_modules", "catalogue", "package.json"]) symlinkSync(join(ROOT, name), join(folder, name));
  for (const name of ["migrations", "package.json"]) {
    symlinkSync(join(ROOT, "packages", "server", name), join(server, name));
  }
  const dist = join(server, "dist");
  cpSync(BUILT, dist, { recursive: true });
  const path = join(dist, file);
  const text = readFileSync(path, "utf8");
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`the mutation fits ${count} times into ${file}: bring it up to date with the code`);
  writeFileSync(
    path,
    text.replace(find, () => replaceBy),
  );
  return { dist, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** One promise broken in each. */
export const MUTATIONS = {
  ackBeforeCommit: {
    file: "capture/capture.js",
    find: `failpoint?.("before_commit");`,
    replaceBy: "for (const item of items) accept(item);",
  },
  noFence: {
    file: "storage/fence.js",
    find: "incarnation = $2::bigint and alive for key share",
    replaceBy: "$2::bigint is not null for key share",
  },
  ackWhatTheFenceRefused: {
    file: "capture/capture.js",
    find: "(item.row.keys.length > 0 ? duplicates : again).push(item);",
    replaceBy: "if (item.row.keys.length > 0) duplicates.push(item); else accept(item);",
  },
  reserialisedJson: {
    file: "deliver/request.js",
    find: "export function envelopeOf(event) {",
    replaceBy: `export function envelopeOf(event) {
      event = { ...event, data: Buffer.from(JSON.stringify(JSON.parse(Buffer.from(event.data).toString()))) };`,
  },
  followRedirects: {
    file: "deliver/unit.js",
    find: "const { clock, sender, failpoint } = this.#options;",
    replaceBy: `const { clock, failpoint } = this.#options;
      const sender = {
        send: async (request) => {
          const result = await this.#options.sender.send(request);
          const isRedirect = result.kind === "responded" && result.status >= 300 && result.status <= 399;
          const at = isRedirect ? result.headers.findIndex((text) => text.toLowerCase() === "location") : -1;
          return at < 0 ? result : this.#options.sender.send({ ...request, url: result.headers[at + 1] });
        },
      };`,
  },
  timeBasedLease: {
    file: "deliver/ownership.js",
    find: "this.#watch.observe(others, clock.monotonicMs())",
    // A lease until a time of day, set at each look, and compared with the time of day of the next.
    replaceBy: `others.filter(({ id }) => {
      const until = (this.untilById ??= new Map()).get(id) ?? Infinity;
      this.untilById.set(id, Date.now() + this.#lease.silenceMs);
      return Date.now() > until;
    })`,
  },
  orderedFromMemory: {
    file: "deliver/intake.js",
    find: "const isOrdered = queue.ordered !== null || orderingKey !== null;",
    replaceBy: "const isOrdered = false;",
  },
  noTakeover: { file: "deliver/ownership.js", find: "if (await declareDead(db, node))", replaceBy: "if (false)" },
} as const satisfies Record<string, Mutation>;
