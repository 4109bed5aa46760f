// Decides where everything of an embedded PostgreSQL lies, and remembers that decision beside the data directory.
// It must never turn to another place than last time while that place is known: that would show an empty database.
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";
import { canTraverse, chooseOsUser, type OsUser, ownerOf } from "./os-user.ts";

export type Layout = {
  /** Ours alone: password, lock, and the note that says where the state lies. */
  readonly dataDir: string;
  /** Owned by us; holds the folders below, the log, and by default the copied binaries. */
  readonly stateDir: string;
  /** As whom PostgreSQL runs; undefined: as ourselves. */
  readonly user: OsUser | undefined;
  /** PostgreSQL's own data directory; owned by the user it runs as. */
  readonly clusterDir: string;
  /** Holds the Unix socket; owned by the user PostgreSQL runs as, closed to others. */
  readonly socketDir: string;
  readonly logPath: string;
  readonly passwordPath: string;
  readonly lockPath: string;
};

/** A server socket's path may have 107 bytes (unix(7)); the name is fixed by PostgreSQL and our fixed port. */
const SOCKET_PATH_LIMIT_BYTES = 107;
export const SOCKET_PORT = 5432;

/**
 * Lays out (and makes, with the right owners) the folders for `dataDir`. For an ordinary user everything is inside
 * it; for root, PostgreSQL's part moves to `<stateRoot>/<hash of dataDir>` when the user it will run as cannot reach
 * the data directory. Throws EMBEDDED_NO_USER, EMBEDDED_STATE_MISSING when the place of last time is gone, and
 * EMBEDDED_DATA_DIR when a folder cannot be used.
 */
export function prepareLayout(dataDirOption: string, stateRoot: string): Layout {
  const dataDir = makeDataDir(resolve(dataDirOption));
  const { stateDir, user } = chooseStateDir(dataDir, stateRoot);
  if (user !== undefined && !canTraverse(stateDir, user)) {
    throw unusable(stateDir, new Error(`the user ${user.name}, as which PostgreSQL runs, cannot reach it`));
  }
  const socketDir = chooseSocketDir(stateDir, user);
  makePrivateDir(socketDir, user);
  return {
    dataDir,
    stateDir,
    user,
    clusterDir: join(stateDir, "data"),
    socketDir,
    logPath: join(stateDir, "postgres.log"),
    passwordPath: join(dataDir, "postgres-password"),
    lockPath: join(dataDir, "postgres.lock"),
  };
}

/** Root leaves the way through open (0711) so that the state may lie inside; what is secret in it has mode 0600. */
function makeDataDir(path: string): string {
  try {
    if (!existsSync(path)) {
      mkdirSync(path, { recursive: true });
      chmodSync(path, process.getuid?.() === 0 ? 0o711 : 0o700);
    }
    return realpathSync(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): EmbeddedPostgresError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EmbeddedPostgresError(
    "EMBEDDED_DATA_DIR",
    `The folder ${path} cannot be used (${why}). Give another with --data-dir or POSTHORN_DATA_DIR, or correct its rights.`,
    { cause },
  );
}

type StateChoice = { readonly stateDir: string; readonly user: OsUser | undefined };

/** The place of last time stands before the rules; the note is written before the place is used. */
function chooseStateDir(dataDir: string, stateRoot: string): StateChoice {
  const note = join(dataDir, "postgres-location");
  const inside = join(dataDir, "postgres");
  const earlier = existsSync(note) ? recordedStateDir(note) : inside;
  if (existsSync(join(earlier, "data"))) return { stateDir: earlier, user: ownerOf(join(earlier, "data")) };
  const user = chooseOsUser();
  if (user === undefined || canTraverse(dataDir, user)) {
    makeStateDir(inside, user);
    return { stateDir: inside, user };
  }
  const outside = freePlace(join(stateRoot, createHash("sha256").update(dataDir).digest("hex").slice(0, 16)));
  makeStateDir(outside, user);
  writeFileSync(note, `${outside}\n`, { mode: 0o600 });
  return { stateDir: outside, user };
}

/**
 * A removed data directory (a clone made anew at the same path) leaves its database behind out here. Its password is
 * gone, and it may still be wanted, so a new one is begun beside it.
 */
function freePlace(wanted: string): string {
  for (let number = 1; ; number += 1) {
    const place = number === 1 ? wanted : `${wanted}-${number}`;
    if (!existsSync(join(place, "data"))) return place;
  }
}

function recordedStateDir(note: string): string {
  const stateDir = readFileSync(note, "utf8").trim();
  if (existsSync(stateDir) || !existsSync(join(dirname(note), "postgres-password"))) return stateDir;
  throw new EmbeddedPostgresError(
    "EMBEDDED_STATE_MISSING",
    `The database of this data directory lies in ${stateDir}, says ${note}, but that folder is gone. ` +
      `Bring it back, or write its new place into that file; to start with an empty database, remove that file.`,
  );
}

/** Root owns the state folder itself, so that the database's user cannot plant links where root writes. */
function makeStateDir(stateDir: string, user: OsUser | undefined): void {
  if (existsSync(stateDir)) return;
  try {
    mkdirSync(stateDir, { recursive: true });
    chmodSync(stateDir, user === undefined ? 0o700 : 0o711);
  } catch (error) {
    throw unusable(stateDir, error);
  }
}

function chooseSocketDir(stateDir: string, user: OsUser | undefined): string {
  const inside = join(stateDir, "socket");
  if (process.platform === "win32" || fitsSocket(inside)) return inside;
  const name = `posthorn-${createHash("sha256").update(stateDir).digest("hex").slice(0, 16)}`;
  const own = join(tmpdir(), name);
  const reachable = user === undefined || (existsSync(tmpdir()) && canTraverse(realpathSync(tmpdir()), user));
  return fitsSocket(own) && reachable ? own : join("/tmp", name);
}

export function fitsSocket(socketDir: string): boolean {
  return Buffer.byteLength(join(socketDir, `.s.PGSQL.${SOCKET_PORT}`)) <= SOCKET_PATH_LIMIT_BYTES;
}

/**
 * Makes a folder that only the database's user (and root) can enter. One that is there already is taken only when it
 * is exactly that: under a shared /tmp anybody could have put a folder of this name there to catch our connections.
 */
export function makePrivateDir(path: string, user: OsUser | undefined): void {
  try {
    mkdirSync(path, { mode: 0o700 });
    if (user !== undefined) chownSync(path, user.uid, user.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(path, error);
  }
  if (process.platform === "win32") return;
  const stat = lstatSync(path);
  const uid = user?.uid ?? process.getuid?.();
  if (!stat.isDirectory()) throw unusable(path, new Error("it is not a folder"));
  if (stat.uid !== uid && !adopt(path, stat.uid, user)) throw unusable(path, new Error("it belongs to somebody else"));
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

/** Root was killed between mkdir and chown: the folder is still root's, so nobody else can have touched it. */
function adopt(path: string, ownerUid: number, user: OsUser | undefined): boolean {
  if (user === undefined || ownerUid !== 0) return false;
  chownSync(path, user.uid, user.gid);
  return true;
}
