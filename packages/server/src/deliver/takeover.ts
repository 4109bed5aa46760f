// Before the first node starts on a database that nobody else can use: every node in its list was killed. Must never be
// called where another machine could have one.
import type { Executor } from "../storage/pools.ts";
import { declareDead, selectOtherNodes } from "./deliver.sql.ts";

const NOBODY = "00000000-0000-0000-0000-000000000000";

/** Declares every node dead, so that nobody waits for its silence. */
export async function declareAllDead(db: Executor): Promise<void> {
  for (const node of await selectOtherNodes(db, { uuid: NOBODY })) await declareDead(db, node);
}
