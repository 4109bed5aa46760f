// posthorn migrate
import type { Settings } from "@posthorn/server/settings";
import { fail, say } from "./print.ts";

/** Runs to the end; the result is the exit code. */
export async function runMigrate(settings: Settings): Promise<number> {
  const { migrateOnly } = await import("@posthorn/server/migrate");
  const result = await migrateOnly(settings);
  if (result.outcome === "refused") {
    fail(result.code, result.message);
    return 1;
  }
  say(result.applied.length === 0 ? "The schema is up to date." : `Applied ${result.applied.join(", ")}.`);
  return 0;
}
