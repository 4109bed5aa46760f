// Attempt after attempt at a receiver with a bad certificate: each has to fail as it should and leave nothing behind.
// Pooled clients have leaked here (CVE-2025-47279). Must look at the memory only after a collection.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createTestClient, postTo } from "../outbound.ts";
import { startTlsZoo } from "./zoo.ts";

export interface BadCertificateFigures {
  readonly attempts: number;
  /** Attempts that ended otherwise than as a certificate that is refused. */
  readonly otherwise: number;
  readonly seconds: number;
  /** In use after a collection, from after the first tenth of the attempts to the end. */
  readonly heapGrowthMb: number;
  readonly openSockets: number;
  /** Bytes of requests that the receiver could read. */
  readonly requestBytes: number;
}

const AT_ONCE = 25;

/** Makes them, half at a certificate signed by itself, half at one that has expired. */
export async function attemptBadCertificates(attempts: number): Promise<BadCertificateFigures> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const zoo = await startTlsZoo();
  const client = createTestClient("127.0.0.1", { furtherCas: [zoo.authority.certificate] });
  let made = 0;
  let otherwise = 0;
  const makeUntil = async (count: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (made < count) {
          made += 1;
          const [animal, code] =
            made % 2 === 0
              ? (["selfsigned", "DEPTH_ZERO_SELF_SIGNED_CERT"] as const)
              : (["expired", "CERT_HAS_EXPIRED"] as const);
          const result = await client.send(postTo(`https://127.0.0.1:${zoo.ports[animal]}/`));
          if (result.kind !== "tls_failed" || result.code !== code) otherwise += 1;
        }
      }),
    );
  };
  const heapInUse = async (): Promise<number> => {
    for (let round = 0; round < 3; round += 1) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed + process.memoryUsage().external;
  };
  try {
    const begunAtMs = performance.now();
    await makeUntil(Math.ceil(attempts / 10));
    const before = await heapInUse();
    await makeUntil(attempts);
    const seconds = (performance.now() - begunAtMs) / 1_000;
    const heapGrowthMb = ((await heapInUse()) - before) / 1024 ** 2;
    const { openConnections: openSockets } = client.stats;
    const requestBytes = zoo.requestBytes.selfsigned + zoo.requestBytes.expired;
    return { attempts, otherwise, seconds, heapGrowthMb, openSockets, requestBytes };
  } finally {
    await client.close();
    await zoo.close();
  }
}
