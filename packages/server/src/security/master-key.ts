// The key above all keys: given by the environment, or kept in the data directory beside the embedded database.
// It must never be printed or logged, and never be replaced by a new one while something encrypted depends on it.
import { createHash, createSecretKey, type KeyObject, randomUUID } from "node:crypto";
import { chmod, link, open, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export const MASTER_KEY_BYTES = 32;
const FILE_NAME = "master.key";
const HOW_TO_MAKE_ONE =
  "Make one with `openssl rand -base64 32`, or `node -e \"console.log(require('crypto').randomBytes(32).toString('base64'))\"`, and keep a copy: without it the stored secrets cannot be read.";

export interface MasterKey {
  /** Sixteen hexadecimal characters of a hash: tells keys apart and gives nothing away. */
  readonly id: string;
  readonly key: KeyObject;
}

export type MasterKeyErrorCode =
  /** Not 32 bytes in base64. */
  | "INVALID_MASTER_KEY"
  /** A database of your own was given without a key. */
  | "MASTER_KEY_REQUIRED"
  /** The database holds encrypted secrets and the file with their key is gone. */
  | "MASTER_KEY_LOST"
  /** The database's secrets were encrypted under another key. */
  | "WRONG_MASTER_KEY";

export type MasterKeyResult =
  | { readonly ok: true; readonly key: MasterKey }
  | { readonly ok: false; readonly code: MasterKeyErrorCode; readonly message: string };

/** Reads a master key: 32 bytes in base64, in either alphabet, with or without padding. */
export function openMasterKey(base64: string, name = "POSTHORN_MASTER_KEY"): MasterKeyResult {
  const text = base64.trim();
  const bytes = Buffer.from(text, "base64");
  // Node's decoder skips what it does not know, so a mistyped key would silently be another key.
  const isBase64 = bytes.toString("base64url") === text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  if (!isBase64 || bytes.length !== MASTER_KEY_BYTES) {
    const seen = isBase64 ? `${bytes.length} bytes` : "something else";
    return {
      ok: false,
      code: "INVALID_MASTER_KEY",
      message: `${name} must be 32 bytes in base64 (44 characters), and holds ${seen}. ${HOW_TO_MAKE_ONE}`,
    };
  }
  return { ok: true, key: masterKeyOf(bytes) };
}

function masterKeyOf(bytes: Buffer): MasterKey {
  const id = createHash("sha256").update("posthorn master key\0").update(bytes).digest("hex").slice(0, 16);
  return { id, key: createSecretKey(bytes) };
}

export interface FindMasterKeyOptions {
  /** POSTHORN_MASTER_KEY. */
  readonly given: string | undefined;
  /** The data directory in embedded mode; undefined with DATABASE_URL, where no file is read or made. */
  readonly dataDir: string | undefined;
  /** Whether the database holds keys wrapped by a master key; asked only before a new one would be made. */
  readonly hasTenantKeys: () => Promise<boolean>;
  /** Fills its argument with random bytes. */
  readonly random: (target: Uint8Array) => void;
}

/** The master key of this installation: the one given, else the one in the data directory, else a new one there. */
export async function findMasterKey(options: FindMasterKeyOptions): Promise<MasterKeyResult> {
  if (options.given !== undefined) return openMasterKey(options.given);
  if (options.dataDir === undefined) {
    return {
      ok: false,
      code: "MASTER_KEY_REQUIRED",
      message: `With DATABASE_URL, POSTHORN_MASTER_KEY is required: it encrypts signing secrets, and every node on this database needs the same one. ${HOW_TO_MAKE_ONE}`,
    };
  }
  const path = join(options.dataDir, FILE_NAME);
  const present = await readKeyFile(path);
  if (present !== undefined) return openMasterKey(present, path);
  if (await options.hasTenantKeys()) {
    return {
      ok: false,
      code: "MASTER_KEY_LOST",
      message: `${path} is missing, but the database holds secrets that were encrypted with it. Restore the file from a backup or set POSTHORN_MASTER_KEY to its content; nothing was changed.`,
    };
  }
  const bytes = Buffer.alloc(MASTER_KEY_BYTES);
  options.random(bytes);
  return openMasterKey(await createKeyFile(path, bytes.toString("base64")), path);
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const content = await readFile(path, "utf8");
    // A copy or a restored backup may have come back readable by others. Some file systems know no modes.
    await chmod(path, 0o600).catch(() => {});
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Makes the file whole, on the disk and for its owner only, or not at all: it appears under its name by link(2), which
 * loses against another process that was faster.
 * @returns the content of the file that is there now: ours or the faster one's
 */
async function createKeyFile(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomUUID()}.draft`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${content}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    await syncDirectory(dirname(path));
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return await readFile(path, "utf8");
  } finally {
    await rm(draft, { force: true });
  }
}

/** Without this the name may be gone after a power failure. Windows cannot open directories, and need not. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
