// Folders of a test file's own, beside the run's database: in memory where there is enough of it, because a database made
// on a disk waits seconds for it. They go with the run, also after a crash. Must not take in copies of the whole tree.
import { chmodSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RUN_DIR_VARIABLE } from "./database.ts";

/** As root, PostgreSQL runs as another user: it may pass through, and see nothing. Outside a run (chaos) it lies in /tmp. */
export function newFolder(prefix: string): string {
  const folder = realpathSync(mkdtempSync(join(process.env[RUN_DIR_VARIABLE] ?? tmpdir(), prefix)));
  chmodSync(folder, 0o711);
  return folder;
}
