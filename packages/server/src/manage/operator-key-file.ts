// The file operator.key in the data directory, while the embedded server runs: where it listens and a key for it.
// For its owner's eyes only (0600), whole or not there at all.
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const OPERATOR_KEY_FILE = "operator.key";

export interface OperatorAccess {
  /** Where commands on this machine reach the server: `http://127.0.0.1:8420`. */
  readonly url: string;
  readonly apiKey: string;
  readonly processId: number;
}

/** Puts the file in place of an earlier one; a reader never sees half of it. */
export async function writeOperatorKeyFile(dataDir: string, access: OperatorAccess): Promise<void> {
  const path = join(dataDir, OPERATOR_KEY_FILE);
  const draft = `${path}.${randomUUID()}.draft`;
  try {
    await writeFile(draft, `${JSON.stringify(access)}\n`, { mode: 0o600, flag: "wx" });
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes it; no file is no error. */
export async function removeOperatorKeyFile(dataDir: string): Promise<void> {
  await rm(join(dataDir, OPERATOR_KEY_FILE), { force: true });
}
