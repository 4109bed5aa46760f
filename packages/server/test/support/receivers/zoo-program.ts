// The receiver zoo as a program, to be tried by hand: its paths and ports are printed, and it runs until it is stopped.
import { startReceiver } from "./receiver.ts";
import { startTlsZoo, startZoo } from "./zoo.ts";
import { ZOO_BEHAVIOURS } from "./zoo-behaviours.ts";

/** Starts all of it; the returned function ends it. */
export async function startZooProgram(say: (line: string) => void): Promise<() => Promise<void>> {
  const canary = await startReceiver();
  const zoo = await startZoo({ canaryOrigin: canary.origin });
  const tlsZoo = await startTlsZoo();
  say(`Every status: ${zoo.url("/200")} … ${zoo.url("/599")}`);
  for (const path of Object.keys(ZOO_BEHAVIOURS)) say(zoo.url(path));
  for (const [animal, port] of Object.entries(tlsZoo.ports)) say(`https://127.0.0.1:${port}/  ${animal}`);
  say(`Redirects lead to ${canary.origin}, which must hear nothing.`);
  return async () => {
    say(`${canary.connectionCount} connections to where the redirects lead.`);
    await Promise.all([zoo.close(), tlsZoo.close(), canary.close()]);
  };
}
