// How many requests per second the guarded client makes on loopback in one process; the receiver is a second process.
// It must never be read alone: run it on a quiet machine, beside the same numbers for a bare undici client.
//
//   node dist/outbound.js [seconds] [concurrency] [bodyBytes]
import { fork } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";
import type { AllowTargets, ParsedAllowTargets } from "../../packages/server/src/security/addresses/allow-targets.ts";
import type { OutboundClient, OutboundClientOptions } from "../../packages/server/src/security/outbound/client.ts";

// The built server, found from here or from bench/dist: the bench measures what ships.
const SERVER_DIST = new URL("../../packages/server/dist/security/", import.meta.url);
const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok");

/** Answers each request of known length as soon as it is complete, with as little work as possible. */
function serve(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    let missing = 0;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (let offset = 0; offset < data.length; ) {
        if (missing === 0) {
          const end = data.indexOf("\r\n\r\n", offset);
          const length = Number(/content-length: (\d+)/.exec(data.toString("latin1", offset, end))?.[1] ?? 0);
          missing = length;
          offset = end + 4;
        }
        const taken = Math.min(missing, data.length - offset);
        missing -= taken;
        offset += taken;
        if (missing === 0) socket.write(ANSWER);
      }
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("disconnect", () => process.exit(0));
}

async function main(seconds: number, concurrency: number, bodyBytes: number): Promise<void> {
  const receiver = fork(fileURLToPath(import.meta.url), ["receiver"]);
  const port = await new Promise<number>((resolve) =>
    receiver.once("message", (message) => resolve(message as number)),
  );
  const url = `http://127.0.0.1:${port}/hook?a=1`;
  const body = Buffer.alloc(bodyBytes, "x");
  const guarded = await guardedSender(url, body);
  const bare = bareSender(url, body, concurrency);
  for (let round = 0; round < 3; round++) {
    report("guarded client", await measure(guarded.send, seconds, concurrency));
    report("bare dispatch ", await measure(bare.send, seconds, concurrency));
  }
  await guarded.close();
  await bare.close();
  receiver.disconnect();
}

interface Sender {
  send(): Promise<unknown>;
  close(): Promise<void>;
}

// As many headers as a signed delivery carries.
const HEADERS: readonly string[] = Object.entries({
  "content-type": "application/json",
  "x-bigledger-event": "invoice.paid",
  "x-bigledger-attempt": "1",
  "x-bigledger-delivery": "dlv_01h455vb4pex5vsknk084sn02q",
  "webhook-id": "evt_01h455vb4pex5vsknk084sn02q",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  "x-signature": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
}).flat();

async function guardedSender(url: string, body: Buffer): Promise<Sender> {
  const allow: { parseAllowTargets(text: string): ParsedAllowTargets } = await import(
    new URL("addresses/allow-targets.js", SERVER_DIST).href
  );
  const outbound: { createOutboundClient(options: OutboundClientOptions): OutboundClient } = await import(
    new URL("outbound/client.js", SERVER_DIST).href
  );
  const parsed = allow.parseAllowTargets("127.0.0.1");
  if (!parsed.ok) throw new Error(parsed.error);
  const allowTargets: AllowTargets = parsed.targets;
  const client = outbound.createOutboundClient({ allowTargets });
  return {
    async send() {
      const result = await client.send({ url, method: "POST", headers: HEADERS, body, timeoutMs: 15_000 });
      if (result.kind !== "responded") throw new Error(`Unexpected outcome: ${JSON.stringify(result)}`);
    },
    close: () => client.close(),
  };
}

/** undici's fastest way, without deadline, guard, timings or response: the ceiling. */
function bareSender(url: string, body: Buffer, connections: number): Sender {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { connections, headersTimeout: 0, bodyTimeout: 0 });
  return {
    send: () =>
      new Promise((resolve, reject) => {
        pool.dispatch(
          { path: pathname + search, method: "POST", headers: [...HEADERS], body },
          {
            onConnect: () => {},
            onHeaders: () => true,
            onData: () => true,
            onComplete: () => resolve(undefined),
            onError: reject,
          },
        );
      }),
    close: () => pool.close(),
  };
}

interface Rate {
  readonly perSecond: number;
  /** Processor time of this process per request: steadier than the rate when the machine is shared. */
  readonly cpuMicros: number;
}

async function measure(send: () => Promise<unknown>, seconds: number, concurrency: number): Promise<Rate> {
  const startedAtMs = performance.now();
  const startedCpu = process.cpuUsage();
  const endsAtMs = startedAtMs + seconds * 1000;
  let count = 0;
  async function loop(): Promise<void> {
    while (performance.now() < endsAtMs) {
      await send();
      count++;
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop));
  const { user, system } = process.cpuUsage(startedCpu);
  return { perSecond: count / ((performance.now() - startedAtMs) / 1000), cpuMicros: (user + system) / count };
}

function report(name: string, rate: Rate): void {
  const perSecond = Math.round(rate.perSecond).toLocaleString("en");
  console.log(`${name} ${perSecond} requests/s, ${rate.cpuMicros.toFixed(1)} µs of CPU each`);
}

if (process.argv[2] === "receiver") serve();
else await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 64), Number(process.argv[4] ?? 711));
