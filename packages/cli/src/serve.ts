// posthorn serve: start, say where, and end on a signal. A second signal ends at once.
import type { ServeResult } from "@posthorn/server";
import type { Settings } from "@posthorn/server/settings";
import { bold, fail, say } from "./print.ts";

/** The hard limit of an orderly end; orchestrators kill after 30 s. */
const STOP_LIMIT_MS = 20_000;

/** Serves until a signal comes; the result is the exit code. */
export async function runServe(settings: Settings): Promise<number> {
  let abandon = (): void => {};
  const signalled = firstSignal(() => abandon());
  // Only now: help and mistakes of usage need none of it.
  const { serve } = await import("@posthorn/server");
  const served = await serve(settings);
  if (served.outcome === "refused") {
    fail(served.code, served.message);
    return 1;
  }
  abandon = () => served.abandon();
  greet(served, settings);
  const signal = await signalled;
  say(`${signal}: finishing what runs; once more ends at once.`);
  setTimeout(() => {
    fail("STOP_TIMED_OUT", "Not finished after 20 s; what was under way is repeated at the next start.");
    served.abandon();
    process.exit(1);
  }, STOP_LIMIT_MS).unref();
  await served.stop();
  return 0;
}

/** @param onSecond called before the second signal ends the process */
function firstSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (seen) {
        onSecond();
        process.exit(signal === "SIGINT" ? 130 : 143);
      }
      seen = true;
      resolve(signal);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

function greet(served: Extract<ServeResult, { outcome: "serving" }>, settings: Settings): void {
  const inProcesses = settings.processes === 1 ? "" : ` in ${settings.processes} processes`;
  say(`${bold("Posthorn")} serves at ${bold(served.url)}${inProcesses}`);
  if (served.database === "adopted") say("The database of an earlier start was still running and is used again.");
  if (!served.isFirstStart) return;
  const key = served.mintedApiKey ?? "$POSTHORN_BOOTSTRAP_API_KEY";
  if (served.mintedApiKey !== null) {
    say();
    say("Your first API key, shown only this once:");
    say(`  ${bold(served.mintedApiKey)}`);
  }
  say();
  say("Try it:");
  say(`  curl -X POST ${served.url}/v1/events \\`);
  say(`    -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\`);
  say(`    -d '{"event":"invoice.paid","data":{"object":{"invoiceNumber":"INV-00871","total":2567.50}}}'`);
  if (settings.allowTargets.text === "") {
    say();
    say("Deliveries reach public https addresses only. For a receiver on this machine start with");
    say("  POSTHORN_ALLOW_TARGETS=127.0.0.1:9000");
  }
}
