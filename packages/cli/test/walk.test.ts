// A new user's walk, by the commands alone: serve on an empty folder, read the key that it prints, receive, subscribe,
// trigger, and see it delivered, within a minute. Every step waits for what a person would wait for.
import { rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPostmaster } from "../../server/src/storage/embedded/postmaster.ts";
import { newFolder } from "../../server/test/support/folder.ts";
import { ensureBuilt, posthorn } from "./support/command.ts";
import { endAll, start } from "./support/running.ts";

const folder = newFolder("posthorn-walk-");
const dataDir = join(folder, "data");

beforeAll(ensureBuilt, 180_000);
afterAll(async () => {
  await endAll();
  const clusterDir = join(dataDir, "postgres", "data");
  for (let left = findPostmaster(clusterDir); left !== undefined; left = findPostmaster(clusterDir)) {
    process.kill(left.pid, "SIGQUIT");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A port for the receiver, which the server is told of before the receiver runs. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("from an empty folder to a delivered event within 60 s", { timeout: 90_000 }, async () => {
  const startedAtMs = performance.now();
  const port = await freePort();
  const server = start(["serve", "--port", "0", "--data-dir", dataDir, "--allow-targets", `127.0.0.1:${port}`]);
  const url = /http:\S+/.exec(await server.line(/^Posthorn serves at/))?.[0] ?? "";
  const key = (await server.line(/^ {2}blg_live_sk_/)).trim();
  const env = { POSTHORN_URL: url, POSTHORN_API_KEY: key };

  const receiver = start(["receive", "--port", String(port)]);
  expect(await receiver.line(/POSTHORN_ALLOW_TARGETS/)).toContain(`=127.0.0.1:${port}`);
  // The line as it is printed, pasted into a shell: words, and quotes around the pattern.
  const words = (await receiver.line(/webhooks create/)).trim().replaceAll("'", "").split(" ").slice(1);
  const made = await posthorn(words, { env });
  expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^Webhook +webhook_\w+\n/)]);

  const triggered = await posthorn(["trigger", "invoice.paid"], { env });
  expect([triggered.code, triggered.out]).toEqual([
    0,
    expect.stringMatching(/^invoice\.paid evt_\w+\n1 delivery: posthorn/),
  ]);
  const eventId = /evt_\w+/.exec(triggered.out)?.[0] ?? "";
  expect(await receiver.line(new RegExp(eventId))).toMatch(/ {2}200 {2}verified {2}#1 .* invoice\.paid /);

  const follow = /posthorn (deliveries --event \S+)/.exec(triggered.out)?.[1]?.split(" ") ?? [];
  let seen = await posthorn(follow, { env });
  // The receiver hears of it a moment before the result is recorded.
  while (!seen.out.includes("delivered")) seen = await posthorn(follow, { env });
  expect(seen.out).toMatch(/^ID +STATE .*\ndlv_\w+ +delivered +invoice\.paid +INV-2026-0731 +1 /);
  expect(performance.now() - startedAtMs).toBeLessThan(60_000);

  // Beside the server no key is needed at all.
  const beside = await posthorn(["events", "--data-dir", dataDir, "--json"]);
  expect(beside.json()).toMatchObject([{ id: eventId, deliveryCount: 1 }]);
  expect([await receiver.end(), await server.end()]).toEqual([0, 0]);
  // Nothing is left that would let somebody in.
  expect((await posthorn(["events", "--data-dir", dataDir])).err).toContain("NO_API_KEY");
});
