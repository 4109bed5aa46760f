// Decides as which operating system user PostgreSQL runs, and what that user can reach.
// It must never let PostgreSQL run as root: PostgreSQL refuses, and rightly.
import { existsSync, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";

/** A user to switch to; undefined everywhere means "as ourselves". */
export type OsUser = { readonly name: string; readonly uid: number; readonly gid: number };

/** Tried in this order when we are root: the one made for the purpose, then the one every system has. */
const CANDIDATES = ["postgres", "nobody"];

/**
 * Whom an existing folder belongs to, so that root goes on as the one who began: a data directory made by an ordinary
 * user stays usable for that user after one start as root.
 */
export function ownerOf(folder: string): OsUser | undefined {
  const stat = statSync(folder);
  if (process.getuid?.() !== 0 || stat.uid === 0) return undefined;
  return { name: `uid ${stat.uid}`, uid: stat.uid, gid: stat.gid };
}

/**
 * The user for the server: undefined (ourselves) for an ordinary user, an existing other one for root.
 * initdb looks the uid up in the password database, so an unnamed uid of a container is refused here in plain words.
 * Throws EMBEDDED_NO_USER.
 */
export function chooseOsUser(passwdPath = "/etc/passwd"): OsUser | undefined {
  if (process.platform === "win32") return undefined;
  if (process.getuid?.() !== 0) {
    requireOwnName();
    return undefined;
  }
  const entries = existsSync(passwdPath) ? parsePasswd(readFileSync(passwdPath, "utf8")) : [];
  for (const name of CANDIDATES) {
    const user = entries.find((entry) => entry.name === name && entry.uid !== 0);
    if (user !== undefined) return user;
  }
  throw new EmbeddedPostgresError(
    "EMBEDDED_NO_USER",
    `PostgreSQL does not run as root, and ${passwdPath} has neither of the users ${CANDIDATES.join(", ")}. ` +
      "Add one (useradd --system postgres), start Posthorn as an ordinary user, or set DATABASE_URL.",
  );
}

function requireOwnName(): void {
  try {
    userInfo();
  } catch (error) {
    throw new EmbeddedPostgresError(
      "EMBEDDED_NO_USER",
      `The user id ${process.getuid?.()} has no name on this system, and PostgreSQL needs one. ` +
        "Add an entry to /etc/passwd, start Posthorn as a named user, or set DATABASE_URL.",
      { cause: error },
    );
  }
}

/** passwd(5): name:password:uid:gid:comment:home:shell. */
export function parsePasswd(text: string): OsUser[] {
  const users: OsUser[] = [];
  for (const line of text.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined) continue;
    if (/^\d+$/.test(uid) && /^\d+$/.test(gid)) users.push({ name, uid: Number(uid), gid: Number(gid) });
  }
  return users;
}

/**
 * Can the user pass through this existing folder and all its parents? By mode bits alone: supplementary groups are
 * dropped when the server is spawned, and where access lists grant more we only choose the other place needlessly.
 */
export function canTraverse(folder: string, user: OsUser): boolean {
  for (let path = folder; ; path = dirname(path)) {
    if (!maySearch(statSync(path), user)) return false;
    if (path === dirname(path)) return true;
  }
}

function maySearch(stat: { mode: number; uid: number; gid: number }, user: OsUser): boolean {
  if (stat.uid === user.uid) return (stat.mode & 0o100) !== 0;
  if (stat.gid === user.gid) return (stat.mode & 0o010) !== 0;
  return (stat.mode & 0o001) !== 0;
}
